import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PathUuid } from '../platform/http/path-id.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { CallbackReader } from './callback-reader.js';
import { RequestCallbackPageDto } from './callback.dto.js';

@ApiTags('requests')
@ApiProblems(401, 403, 404, 503)
@NeedsScope('requests:read', 'audit:read')
@Controller('v1/requests')
export class CallbacksController {
  constructor(private readonly callbacks: CallbackReader) {}

  @Get(':id/callbacks')
  @ApiOperation({
    operationId: 'listRequestCallbacks',
    summary: 'How the end of a request was told to its callbackUrl: each try, newest first',
  })
  @ApiOkResponse({ type: RequestCallbackPageDto })
  @ApiProblems(400)
  ofRequest(
    @Param('id', PathUuid) id: string,
    @Query() page: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<RequestCallbackPageDto> {
    return this.callbacks.ofRequest(id, page, caller);
  }
}
