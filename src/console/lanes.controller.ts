import { Controller, Get, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { LaneLedger } from '../ledger/lanes.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { NoBody } from '../platform/http/no-body.js';
import { PathLaneId } from '../platform/http/path-id.js';
import { Bells } from '../platform/queues/bells.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { LaneDto, LaneListDto } from './lane.dto.js';
import { LaneReader } from './lane-reader.js';

@ApiTags('lanes')
@ApiBearerAuth()
@ApiProblems(401, 403, 404, 503)
@Controller('v1/lanes')
export class LanesController {
  constructor(
    private readonly reader: LaneReader,
    private readonly ledger: LaneLedger,
    private readonly bells: Bells,
  ) {}

  @Get()
  @NeedsScope('requests:read', 'ops')
  @ApiOperation({
    operationId: 'listLanes',
    summary: 'The call budgets that serve your projects, and what blocks them',
  })
  @ApiOkResponse({ type: LaneListDto })
  async list(@Caller() caller: Principal): Promise<LaneListDto> {
    return { items: await this.reader.list(caller) };
  }

  @Post(':id/pause')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('ops')
  @ApiOperation({ operationId: 'pauseLane', summary: 'Let no call leave through a lane until it is resumed' })
  @ApiOkResponse({ type: LaneDto })
  pause(@Param('id', PathLaneId) id: string, @Caller() caller: Principal): Promise<LaneDto> {
    return this.setPause(id, true, caller);
  }

  @Post(':id/resume')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('ops')
  @ApiOperation({ operationId: 'resumeLane', summary: 'Let calls leave again' })
  @ApiOkResponse({ type: LaneDto })
  resume(@Param('id', PathLaneId) id: string, @Caller() caller: Principal): Promise<LaneDto> {
    return this.setPause(id, false, caller);
  }

  private async setPause(id: string, paused: boolean, caller: Principal): Promise<LaneDto> {
    const lane = this.reader.find(id, caller);
    await this.ledger.setOperatorPause(id, paused, caller);
    if (!paused) await this.bells.ring([id]);
    return this.reader.describe(lane, caller);
  }
}
