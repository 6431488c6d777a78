import { Body, Controller, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RequestEnds } from '../callbacks/request-ends.js';
import { UnknownResolver } from '../calling/unknown-resolver.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { PathUuid } from '../platform/http/path-id.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { ResolveCallDto } from './resolve-call.dto.js';

@ApiTags('calls')
@ApiProblems(400, 401, 403, 404, 409, 415, 503)
@Controller('v1/calls')
export class UnknownCallsController {
  constructor(
    private readonly prisma: PrismaService,
    private readonly resolver: UnknownResolver,
    private readonly ends: RequestEnds,
  ) {}

  @Post(':id/resolve')
  @HttpCode(HttpStatus.NO_CONTENT)
  @NeedsScope('ops')
  @ApiOperation({
    operationId: 'resolveCall',
    summary: 'Say what became of a call whose fate is unknown: its targets stay in it as accepted, or wait again',
  })
  @ApiNoContentResponse()
  async resolve(
    @Param('id', PathUuid) id: string,
    @Body() body: ResolveCallDto,
    @Caller() caller: Principal,
  ): Promise<void> {
    own(await this.prisma.call.findUnique({ where: { id }, select: { projectId: true } }), caller);
    await this.ends.tell(await this.resolver.byHand(id, body.as, body.reason, caller));
  }
}
