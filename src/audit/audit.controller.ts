import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PathClusterId, PathUuid } from '../platform/http/path-id.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { ClusterHistoryPageDto, ClusterHistoryQueryDto } from './cluster-history.dto.js';
import { ClusterHistoryReader } from './cluster-history-reader.js';
import { EventPageDto } from './event.dto.js';
import { EventQueryDto } from './event-query.dto.js';
import { EventReader } from './event-reader.js';

@ApiTags('audit')
@ApiProblems(400, 401, 403, 404, 503)
@NeedsScope('audit:read')
@Controller('v1/audit')
export class AuditController {
  constructor(
    private readonly events: EventReader,
    private readonly clusters: ClusterHistoryReader,
  ) {}

  @Get('events')
  @ApiOperation({ operationId: 'listEvents', summary: 'What happened in your projects, newest first' })
  @ApiOkResponse({ type: EventPageDto })
  list(@Query() query: EventQueryDto, @Caller() caller: Principal): Promise<EventPageDto> {
    return this.events.list(query, caller);
  }

  @Get('requests/:id/trace')
  @ApiOperation({
    operationId: 'traceRequest',
    summary:
      'The story of a request: its calls, their answers, what was decided and looked up, and its verdicts, oldest first',
  })
  @ApiOkResponse({ type: EventPageDto })
  trace(
    @Param('id', PathUuid) id: string,
    @Query() page: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<EventPageDto> {
    return this.events.trace(id, page, caller);
  }

  @Get('clusters/:clusterId')
  @ApiOperation({
    operationId: 'getClusterHistory',
    summary: 'The life of a cluster: who asked for it, when it was sent, what was answered, and what its scans came to',
  })
  @ApiOkResponse({ type: ClusterHistoryPageDto })
  cluster(
    @Param('clusterId', PathClusterId) clusterId: string,
    @Query() query: ClusterHistoryQueryDto,
    @Caller() caller: Principal,
  ): Promise<ClusterHistoryPageDto> {
    return this.clusters.list(clusterId, query, caller);
  }
}
