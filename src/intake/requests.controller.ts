import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post, Query, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { RequestEnds } from '../callbacks/request-ends.js';
import { RequestLedger } from '../ledger/requests.js';
import { crashPoint } from '../platform/crash-points.js';
import { IdempotencyKey, KeyUnlessDryRun } from '../platform/http/idempotency-key.js';
import { NoBody } from '../platform/http/no-body.js';
import { PathUuid } from '../platform/http/path-id.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { DryRunDto } from './estimate.dto.js';
import { Estimator } from './estimator.js';
import { IntakeService, type Accepted } from './intake.service.js';
import { refuseForeign } from './ownership.js';
import { ReplayRequestDto } from './replay-request.dto.js';
import { ReplayService } from './replay.service.js';
import { RequestQueryDto, SubmitQueryDto, TargetQueryDto } from './request-query.dto.js';
import { RequestReader } from './request-reader.js';
import { RequestDto, RequestPageDto } from './request.dto.js';
import { SubmitRequestDto } from './submit-request.dto.js';
import { TargetReader } from './target-reader.js';
import { TargetPageDto } from './target.dto.js';
import { toSubmission } from './to-submission.js';

const ApiIdempotencyKey = (exception = ''): MethodDecorator =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: exception === '',
    description: `1 to 255 visible ASCII characters, new for each wish. The same key with the same body gets the same answer.${exception}`,
  });

@ApiTags('requests')
@ApiProblems(401, 403, 404, 503)
@Controller('v1/requests')
export class RequestsController {
  constructor(
    private readonly intake: IntakeService,
    private readonly replays: ReplayService,
    private readonly requests: RequestReader,
    private readonly estimator: Estimator,
    private readonly targets: TargetReader,
    private readonly ledger: RequestLedger,
    private readonly ends: RequestEnds,
  ) {}

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  @NeedsScope('requests:write')
  @ApiIdempotencyKey(' Required, but for a dry run.')
  @ApiOperation({ operationId: 'submitRequest', summary: 'Ask for failed clusters of a scan task to be scanned again' })
  @ApiAcceptedResponse({ type: RequestDto })
  @ApiOkResponse({ type: DryRunDto, description: 'The answer to a dry run.' })
  @ApiProblems(400, 413, 415, 422, 429)
  async submit(
    @Body() body: SubmitRequestDto,
    // Refused where it is anything but dryRun; what it says, the key's decorator has read.
    @Query() _query: SubmitQueryDto,
    @KeyUnlessDryRun() key: string | null,
    @Caller() caller: Principal,
    // Two statuses: with `passthrough`, Nest would send the one of the decorator.
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const submission = toSubmission(body);
    if (key === null) {
      await reply.status(HttpStatus.OK).send({ estimate: await this.intake.dryRun(submission, caller) });
      return;
    }
    const request = answer(await this.intake.submit(submission, key, caller), reply);
    await reply.status(HttpStatus.ACCEPTED).send(request);
  }

  @Get()
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listRequests', summary: 'Requests of your projects, newest first' })
  @ApiOkResponse({ type: RequestPageDto })
  @ApiProblems(400)
  list(@Query() query: RequestQueryDto, @Caller() caller: Principal): Promise<RequestPageDto> {
    return this.requests.list(query, caller);
  }

  @Get(':id')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'getRequest', summary: 'One request, with the counts of its targets' })
  @ApiOkResponse({ type: RequestDto })
  async get(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<RequestDto> {
    const request = await this.requests.find(id, caller);
    return { ...request, estimate: await this.estimator.ofWaiting(request) };
  }

  @Get(':id/targets')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listTargets', summary: 'What became of each cluster of a request' })
  @ApiOkResponse({ type: TargetPageDto })
  @ApiProblems(400)
  async listTargets(
    @Param('id', PathUuid) id: string,
    @Query() query: TargetQueryDto,
    @Caller() caller: Principal,
  ): Promise<TargetPageDto> {
    const { projectId } = await this.requests.find(id, caller);
    return this.targets.list(id, projectId, query);
  }

  @Post(':id/cancel')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('requests:write', 'ops')
  @ApiOperation({
    operationId: 'cancelRequest',
    summary: 'Let no further call leave for a request; what is out still gets its result. Twice is fine',
  })
  @ApiOkResponse({ type: RequestDto })
  async cancel(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<RequestDto> {
    refuseForeign(await this.requests.find(id, caller), caller);
    await this.ledger.markCancelled(id, caller);
    crashPoint('cancel.marked');
    const ended = await this.ledger.endWaiting(id);
    crashPoint('cancel.ended');
    await this.ends.tell(ended);
    return this.get(id, caller);
  }

  @Post(':id/replay')
  @HttpCode(HttpStatus.ACCEPTED)
  @NeedsScope('requests:write', 'ops')
  @ApiIdempotencyKey()
  @ApiOperation({ operationId: 'replayRequest', summary: 'A new request of the targets that did not end well' })
  @ApiAcceptedResponse({ type: RequestDto })
  @ApiProblems(400, 409, 415, 422, 429)
  async replay(
    @Param('id', PathUuid) id: string,
    @Body() body: ReplayRequestDto,
    @IdempotencyKey() key: string,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RequestDto> {
    return answer(await this.replays.replay(id, body, key, caller), reply);
  }
}

function answer({ request, replayed }: Accepted, reply: FastifyReply): RequestDto {
  reply.header('location', `/v1/requests/${request.id}`);
  if (replayed) reply.header('idempotency-replayed', 'true');
  return request;
}
