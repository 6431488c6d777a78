import { ApiProperty } from '@nestjs/swagger';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import { CATCH_UPS, type CatchUp, type ClusterLimits, type CronTiming, type Selection } from '../domain/schedule.js';
import { CronDto, PerClusterDto, selectionSchema } from './schedule-parts.dto.js';

const moment = (description: string): PropertyDecorator =>
  ApiProperty({ type: String, format: 'date-time', nullable: true, description });

export class ScheduleDto {
  @ApiProperty({ type: String, format: 'uuid' }) id!: string;
  @ApiProperty({ type: String }) name!: string;
  @ApiProperty({ type: String }) projectId!: string;
  @ApiProperty({ type: String }) enterpriseProjectId!: string;
  @ApiProperty({ type: String, description: 'Whose requests it makes.' }) caller!: string;
  @ApiProperty(selectionSchema) selection!: Selection;
  @ApiProperty({ type: CronDto, nullable: true }) cron!: CronTiming | null;
  @ApiProperty({ type: String, nullable: true }) every!: string | null;
  @ApiProperty({ type: String, nullable: true }) jitter!: string | null;
  @ApiProperty({ enum: PRIORITIES }) priority!: Priority;
  @ApiProperty({ type: Number }) maxRounds!: number;
  @ApiProperty({ type: PerClusterDto, nullable: true }) perCluster!: ClusterLimits | null;
  @ApiProperty({ type: Number }) minFailed!: number;
  @ApiProperty({ type: Number }) maxClusters!: number;
  @ApiProperty({ enum: CATCH_UPS }) catchUp!: CatchUp;
  @ApiProperty({ type: Boolean }) enabled!: boolean;
  @moment('Its next due time; null where it is paused.') nextDueAt!: Date | null;
  @moment('The same with its jitter.') nextFireAt!: Date | null;
  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'The last one that was not skipped.' })
  lastFireId!: string | null;
  @ApiProperty({ type: String, format: 'date-time' }) createdAt!: Date;
  @ApiProperty({ type: String, format: 'date-time' }) updatedAt!: Date;
  @moment('Of what was deleted only the record is left.') deletedAt!: Date | null;
}

export class SchedulePageDto {
  @ApiProperty({ type: [ScheduleDto] }) items!: ScheduleDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class DueTimeDto {
  @ApiProperty({ type: String, format: 'date-time' }) dueAt!: Date;
  @ApiProperty({ type: String, format: 'date-time', description: 'With the jitter.' }) fireAt!: Date;
  @ApiProperty({ type: String, example: '2027-03-28T03:00:00+02:00', description: "In the schedule's time zone." })
  localTime!: string;
}

export class PreviewDto {
  @ApiProperty({ type: String, example: 'Europe/Berlin' }) timezone!: string;
  @ApiProperty({ type: [DueTimeDto] }) items!: DueTimeDto[];
}
