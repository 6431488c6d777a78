import { ApiProperty, ApiPropertyOptional, OmitType, PartialType } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import { MAX_ROUNDS } from '../domain/request.js';
import {
  BOUNDS,
  CATCH_UPS,
  type CatchUp,
  type ClusterLimits,
  type CronTiming,
  type Selection,
} from '../domain/schedule.js';
import { IsEnterpriseProjectId, IsProjectId, MayBeAbsent, QueryInt } from '../platform/http/dto-rules.js';
import { IsCron, IsDuration, IsPerCluster, IsScheduleName, IsSelection } from './schedule-rules.js';
import { CronDto, PerClusterDto, selectionSchema } from './schedule-parts.dto.js';

export class CreateScheduleDto {
  @ApiProperty({ type: String, minLength: 1, maxLength: BOUNDS.nameCharacters, description: 'Unique in its project.' })
  @IsScheduleName()
  name!: string;

  @ApiProperty({ type: String, minLength: 1, maxLength: 256 })
  @IsProjectId()
  projectId!: string;

  @ApiPropertyOptional({ type: String, minLength: 1, maxLength: 256, default: '0' })
  @MayBeAbsent()
  @IsEnterpriseProjectId()
  enterpriseProjectId?: string;

  @ApiProperty(selectionSchema)
  @IsSelection()
  selection!: Selection;

  @ApiPropertyOptional({ type: CronDto, description: 'Either this or `every`.' })
  @MayBeAbsent()
  @IsCron()
  cron?: CronTiming;

  @ApiPropertyOptional({ type: String, example: '6h', description: 'From 1m to 30d. Either this or `cron`.' })
  @MayBeAbsent()
  @IsDuration(BOUNDS.everyMs)
  every?: string;

  @ApiPropertyOptional({
    type: String,
    example: '5m',
    description: 'Up to so much later, from 1s to 1h, and shorter than the pause between two due times.',
  })
  @MayBeAbsent()
  @IsDuration(BOUNDS.jitterMs)
  jitter?: string;

  @ApiPropertyOptional({ enum: PRIORITIES, default: 'normal' })
  @MayBeAbsent()
  @IsIn(PRIORITIES)
  priority?: Priority;

  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: MAX_ROUNDS, default: 1 })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(MAX_ROUNDS)
  maxRounds?: number;

  @ApiPropertyOptional({ type: PerClusterDto, description: 'How often a cluster is scanned again, whoever asked.' })
  @MayBeAbsent()
  @IsPerCluster()
  perCluster?: ClusterLimits;

  @ApiPropertyOptional({
    type: Number,
    minimum: 1,
    maximum: BOUNDS.minFailed,
    default: 1,
    description: 'Scan tasks with fewer failed clusters are left out.',
  })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(BOUNDS.minFailed)
  minFailed?: number;

  @ApiPropertyOptional({
    type: Number,
    minimum: 1,
    maximum: BOUNDS.maxClusters,
    default: BOUNDS.maxClusters,
    description: 'Of one fire, over all its scan tasks.',
  })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(BOUNDS.maxClusters)
  maxClusters?: number;

  @ApiPropertyOptional({
    enum: CATCH_UPS,
    default: 'once',
    description: 'What becomes of due times that passed while the service was away: one fire for the latest, or none.',
  })
  @MayBeAbsent()
  @IsIn(CATCH_UPS)
  catchUp?: CatchUp;

  @ApiPropertyOptional({ type: Boolean, default: true, description: 'False: paused.' })
  @MayBeAbsent()
  @IsBoolean()
  enabled?: boolean;
}

/** Null puts a field back to its default; what is absent stays. */
export class ChangeScheduleDto extends PartialType(OmitType(CreateScheduleDto, ['projectId'] as const)) {}

export class PreviewQueryDto {
  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: 100, default: 10 })
  @MayBeAbsent()
  @QueryInt(1, 100)
  count: number = 10;
}
