import { Body, Controller, Get, HttpCode, HttpStatus, Param, Patch, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Lane } from '../config/lanes.js';
import { DomainError } from '../domain/domain-error.js';
import { LaneControlLedger, type LaneChange } from '../ledger/lane-control.js';
import { ApiProblems } from '../platform/http/api-problems.js';
import { NoBody } from '../platform/http/no-body.js';
import { PathLaneId } from '../platform/http/path-id.js';
import { Bells } from '../platform/queues/bells.js';
import { mayTouch, type Principal } from '../security/principal.js';
import { Refused } from '../security/refused.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { ChangeLaneDto } from './change-lane.dto.js';
import { LaneDto, LaneListDto } from './lane.dto.js';
import { LaneReader } from './lane-reader.js';

@ApiTags('lanes')
@ApiProblems(401, 403, 404, 503)
@Controller('v1/lanes')
export class LanesController {
  constructor(
    private readonly reader: LaneReader,
    private readonly control: LaneControlLedger,
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
    return this.apply(id, { paused: true }, caller);
  }

  @Post(':id/resume')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('ops')
  @ApiOperation({ operationId: 'resumeLane', summary: 'Let calls leave again' })
  @ApiOkResponse({ type: LaneDto })
  resume(@Param('id', PathLaneId) id: string, @Caller() caller: Principal): Promise<LaneDto> {
    return this.apply(id, { paused: false }, caller);
  }

  @Patch(':id')
  @NeedsScope('ops')
  @ApiProblems(400, 415)
  @ApiOperation({
    operationId: 'changeLane',
    summary: 'Change the limit, the pause or the shares of a lane, for every process and until it is changed again',
  })
  @ApiOkResponse({ type: LaneDto })
  change(
    @Param('id', PathLaneId) id: string,
    @Body() change: ChangeLaneDto,
    @Caller() caller: Principal,
  ): Promise<LaneDto> {
    if (Object.values(change).every((value) => value === undefined)) {
      throw new DomainError('malformed', 'Nothing is to be changed. Send limit, paused or weights.');
    }
    return this.apply(id, change, caller);
  }

  private async apply(id: string, change: LaneChange, caller: Principal): Promise<LaneDto> {
    const lane = this.reader.find(id, caller);
    if (!mayChange(caller, lane)) {
      throw new Refused(
        'forbidden',
        'This lane serves projects that are not yours: ask an operator of all of them.',
        'not_owner',
      );
    }
    await this.control.changeLane(id, change, caller);
    if (change.paused !== true) await this.bells.ring([id]);
    return this.reader.describe(lane, caller);
  }
}

/** What changes a lane changes it for all whom it serves. */
function mayChange(caller: Principal, { credential: { projects } }: Lane): boolean {
  return projects === '*' ? caller.projects === '*' : projects.every((project) => mayTouch(caller, project));
}
