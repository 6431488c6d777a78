import { Body, Controller, Delete, Get, HttpCode, HttpStatus, Param, Patch, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../platform/http/api-problems.js';
import { NoBody } from '../platform/http/no-body.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PathUuid } from '../platform/http/path-id.js';
import type { Principal } from '../security/principal.js';
import { Caller, NeedsScope } from '../security/route-access.js';
import { FireView } from './fire-view.js';
import { FireDto, FirePageDto } from './fire.dto.js';
import { ChangeScheduleDto, CreateScheduleDto, PreviewQueryDto } from './schedule-body.dto.js';
import { ScheduleQueryDto } from './schedule-query.dto.js';
import { ScheduleReader } from './schedule-reader.js';
import { PreviewDto, ScheduleDto, SchedulePageDto } from './schedule.dto.js';
import { ScheduleService } from './schedule.service.js';

@ApiTags('schedules')
@ApiProblems(401, 403, 404, 503)
@Controller('v1/schedules')
export class SchedulesController {
  constructor(
    private readonly schedules: ScheduleService,
    private readonly reader: ScheduleReader,
    private readonly fires: FireView,
  ) {}

  @Post()
  @NeedsScope('schedules:write')
  @ApiOperation({
    operationId: 'createSchedule',
    summary: 'Find failed scans again and again, and request their retry',
  })
  @ApiCreatedResponse({ type: ScheduleDto })
  @ApiProblems(400, 409, 415)
  async create(
    @Body() body: CreateScheduleDto,
    @Caller() caller: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ScheduleDto> {
    const id = await this.schedules.create(body, caller);
    reply.header('location', `/v1/schedules/${id}`);
    return this.reader.find(id, caller);
  }

  @Get()
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listSchedules', summary: 'Schedules of your projects, newest first' })
  @ApiOkResponse({ type: SchedulePageDto })
  @ApiProblems(400)
  list(@Query() query: ScheduleQueryDto, @Caller() caller: Principal): Promise<SchedulePageDto> {
    return this.reader.list(query, caller);
  }

  @Get(':id')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'getSchedule', summary: 'One schedule; of a deleted one, its record' })
  @ApiOkResponse({ type: ScheduleDto })
  get(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<ScheduleDto> {
    return this.reader.find(id, caller);
  }

  @Patch(':id')
  @NeedsScope('schedules:write', 'ops')
  @ApiOperation({
    operationId: 'changeSchedule',
    summary: 'Change what is sent; null puts a field back to its default, and one timing replaces the other',
  })
  @ApiOkResponse({ type: ScheduleDto })
  @ApiProblems(400, 409, 415)
  async change(
    @Param('id', PathUuid) id: string,
    @Body() change: ChangeScheduleDto,
    @Caller() caller: Principal,
  ): Promise<ScheduleDto> {
    await this.schedules.change(id, change, caller);
    return this.reader.find(id, caller);
  }

  @Delete(':id')
  @HttpCode(HttpStatus.NO_CONTENT)
  @NoBody()
  @NeedsScope('schedules:write', 'ops')
  @ApiOperation({ operationId: 'deleteSchedule', summary: 'Let a schedule fire no more; its fires stay to be read' })
  @ApiNoContentResponse()
  delete(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<void> {
    return this.schedules.delete(id, caller);
  }

  @Post(':id/pause')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('schedules:write', 'ops')
  @ApiOperation({ operationId: 'pauseSchedule', summary: 'Let it fire no more until it is resumed. Twice is fine' })
  @ApiOkResponse({ type: ScheduleDto })
  pause(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<ScheduleDto> {
    return this.setEnabled(id, false, caller);
  }

  @Post(':id/resume')
  @HttpCode(HttpStatus.OK)
  @NoBody()
  @NeedsScope('schedules:write', 'ops')
  @ApiOperation({
    operationId: 'resumeSchedule',
    summary: 'Let it fire again, from its next due time on. Twice is fine',
  })
  @ApiOkResponse({ type: ScheduleDto })
  resume(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<ScheduleDto> {
    return this.setEnabled(id, true, caller);
  }

  @Post(':id/fire')
  @HttpCode(HttpStatus.ACCEPTED)
  @NoBody()
  @NeedsScope('schedules:write', 'ops')
  @ApiOperation({ operationId: 'fireSchedule', summary: 'Fire now; refused while the last fire is open' })
  @ApiAcceptedResponse({ type: FireDto })
  @ApiProblems(400, 409)
  async fire(@Param('id', PathUuid) id: string, @Caller() caller: Principal): Promise<FireDto> {
    return this.fires.find(await this.schedules.fire(id, caller), caller);
  }

  @Get(':id/fires')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'listFires', summary: 'What became of its due times, newest first' })
  @ApiOkResponse({ type: FirePageDto })
  @ApiProblems(400)
  async listFires(
    @Param('id', PathUuid) id: string,
    @Query() query: PageQueryDto,
    @Caller() caller: Principal,
  ): Promise<FirePageDto> {
    await this.reader.find(id, caller);
    return this.fires.list(id, query);
  }

  @Get(':id/preview')
  @NeedsScope('requests:read', 'audit:read')
  @ApiOperation({ operationId: 'previewSchedule', summary: 'Its next due times' })
  @ApiOkResponse({ type: PreviewDto })
  @ApiProblems(400)
  preview(
    @Param('id', PathUuid) id: string,
    @Query() { count }: PreviewQueryDto,
    @Caller() caller: Principal,
  ): Promise<PreviewDto> {
    return this.reader.preview(id, count, caller);
  }

  private async setEnabled(id: string, enabled: boolean, caller: Principal): Promise<ScheduleDto> {
    await this.schedules.setEnabled(id, enabled, caller);
    return this.reader.find(id, caller);
  }
}
