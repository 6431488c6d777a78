import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PathUuid } from '../platform/http/path-id.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { CallDto, CallPageDto, CallTargetPageDto } from './call.dto.js';
import { CallQueryDto } from './call-query.dto.js';
import { CallReader } from './call-reader.js';

@ApiTags('calls')
@ApiProblems(401, 403, 404, 503)
@NeedsScope('requests:read', 'audit:read', 'ops')
@Controller('v1')
export class CallsController {
  constructor(private readonly calls: CallReader) {}

  @Get('calls')
  @ApiOperation({ operationId: 'listCalls', summary: 'RetryTask calls for your projects, newest first' })
  @ApiOkResponse({ type: CallPageDto })
  @ApiProblems(400)
  list(@Query() query: CallQueryDto, @Caller() caller: Principal): Promise<CallPageDto> {
    return this.calls.list(query, caller);
  }

  @Get('calls/:id')
  @ApiOperation({ operationId: 'getCall', summary: 'One call: what was sent, what came of it, what was decided' })
  @ApiOkResponse({ type: CallDto })
  get(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<CallDto> {
    return this.calls.find(id, caller);
  }

  @Get('calls/:id/targets')
  @ApiOperation({ operationId: 'listCallTargets', summary: 'The clusters of a call, in the order sent' })
  @ApiOkResponse({ type: CallTargetPageDto })
  @ApiProblems(400)
  targets(
    @Param('id', PathUuid) id: string,
    @Query() page: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<CallTargetPageDto> {
    return this.calls.targets(id, page, caller);
  }

  @Get('requests/:id/calls')
  @ApiOperation({
    operationId: 'listRequestCalls',
    summary: 'The calls that carried targets of a request, newest first',
  })
  @ApiOkResponse({ type: CallPageDto })
  @ApiProblems(400)
  ofRequest(
    @Param('id', PathUuid) id: string,
    @Query() page: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<CallPageDto> {
    return this.calls.listOfRequest(id, page, caller);
  }
}
