import { Body, Controller, Inject, Param, Put } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { LaneControlLedger } from '../ledger/lane-control.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { noSuchThing, PathProjectId } from '../platform/http/path-id.js';
import { Bells } from '../platform/queues/bells.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { PauseProjectDto, ProjectDto } from './change-lane.dto.js';

@ApiTags('lanes')
@ApiProblems(400, 401, 403, 404, 415, 503)
@Controller('v1/projects')
export class ProjectsController {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly control: LaneControlLedger,
    private readonly bells: Bells,
  ) {}

  @Put(':id/pause')
  @NeedsScope('ops')
  @ApiOperation({ operationId: 'pauseProject', summary: 'Let no call leave for a project, or let them leave again' })
  @ApiOkResponse({ type: ProjectDto })
  async pause(
    @Param('id', PathProjectId) id: string,
    @Body() { paused }: PauseProjectDto,
    @Caller() caller: Principal,
  ): Promise<ProjectDto> {
    const lanes = lanesServing(lanesOf(this.config), id, 'retryTask');
    requireProject(id, caller);
    if (lanes.length === 0) throw noSuchThing();
    await this.control.pauseProject(id, paused, caller);
    if (!paused) await this.bells.ring(lanes.map((lane) => lane.id));
    return { id, paused };
  }
}
