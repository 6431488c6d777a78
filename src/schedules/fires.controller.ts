import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../platform/http/api-problems.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PathUuid } from '../platform/http/path-id.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { FireView } from './fire-view.js';
import { FireClusterPageDto, FireClusterQueryDto, FireDto, FireTaskPageDto } from './fire.dto.js';

@ApiTags('schedules')
@ApiProblems(401, 403, 404, 503)
@Controller('v1/fires')
export class FiresController {
  constructor(private readonly fires: FireView) {}

  @Get(':id')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'getFire', summary: 'One fire of a schedule, with its counts' })
  @ApiOkResponse({ type: FireDto })
  get(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<FireDto> {
    return this.fires.find(id, caller);
  }

  @Get(':id/tasks')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listFireTasks', summary: 'What became of each scan task that a fire saw' })
  @ApiOkResponse({ type: FireTaskPageDto })
  @ApiProblems(400)
  async tasks(
    @Param('id', PathUuid) id: string,
    @Query() query: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<FireTaskPageDto> {
    await this.fires.find(id, caller);
    return this.fires.tasks(id, query);
  }

  @Get(':id/clusters')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listFireClusters', summary: 'The failed clusters that a fire left out, and why' })
  @ApiOkResponse({ type: FireClusterPageDto })
  @ApiProblems(400)
  async clusters(
    @Param('id', PathUuid) id: string,
    @Query() query: FireClusterQueryDto,
    @Caller() caller: Principal,
  ): Promise<FireClusterPageDto> {
    await this.fires.find(id, caller);
    return this.fires.clusters(id, query);
  }
}
