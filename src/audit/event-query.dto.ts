import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsUUID, Matches } from 'class-validator';
import { IsCallerName, IsProjectId, MayBeAbsent, Rfc3339Date } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class EventQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ type: String, example: 'call.rejected' })
  @MayBeAbsent()
  @Matches(/^[a-z_]{1,40}(\.[a-z_]{1,40}){0,3}$/, { message: 'must be a kind of event, such as call.rejected' })
  kind?: string;

  @ApiPropertyOptional({ type: String, description: 'The caller who did it; `rescan`: the service itself.' })
  @MayBeAbsent()
  @IsCallerName()
  actor?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @MayBeAbsent()
  @IsUUID()
  requestId?: string;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @MayBeAbsent()
  @IsUUID()
  callId?: string;

  @ApiPropertyOptional({ type: String, example: 'main.retryTask' })
  @MayBeAbsent()
  @Matches(/^[a-z0-9-]{1,40}\.[A-Za-z]{1,40}$/, { message: 'must be the id of a lane, such as main.retryTask' })
  laneId?: string;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @MayBeAbsent()
  @IsUUID()
  scheduleId?: string;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'At or after.' })
  @MayBeAbsent()
  @Rfc3339Date()
  since?: Date;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'Before.' })
  @MayBeAbsent()
  @Rfc3339Date()
  until?: Date;
}
