import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMinSize, ArrayUnique, IsArray, IsIn, IsInt, Max, Min } from 'class-validator';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import { MAX_ROUNDS, REQUEST_RANGES, type RequestRange } from '../domain/request.js';
import { SCAN_TYPES, type ScanType } from '../domain/scan-type.js';
import {
  IsEnterpriseProjectId,
  IsIdArray,
  IsLabels,
  IsProjectId,
  IsTaskId,
  IsUrlText,
  MayBeAbsent,
  Rfc3339Date,
} from '../platform/http/dto-rules.js';
import { ApiCallbackUrl } from './callback-url.js';

export const MAX_CLUSTERS_PER_REQUEST = 100_000;

export class SubmitRequestDto {
  @ApiProperty({ type: String, minLength: 1, maxLength: 256 })
  @IsProjectId()
  projectId!: string;

  @ApiProperty({
    type: String,
    minLength: 1,
    maxLength: 64,
    description: 'The scan task some of whose clusters failed.',
  })
  @IsTaskId()
  taskId!: string;

  @ApiPropertyOptional({ type: String, minLength: 1, maxLength: 256, default: '0' })
  @MayBeAbsent()
  @IsEnterpriseProjectId()
  enterpriseProjectId?: string;

  @ApiProperty({ enum: REQUEST_RANGES, description: 'All failed clusters of the task, or those of `clusterIds`.' })
  @IsIn(REQUEST_RANGES)
  range!: RequestRange;

  @ApiPropertyOptional({
    type: [String],
    minItems: 1,
    maxItems: MAX_CLUSTERS_PER_REQUEST,
    description: 'With `specific_cluster` only; one given twice is taken once.',
  })
  @MayBeAbsent()
  @IsIdArray(MAX_CLUSTERS_PER_REQUEST)
  clusterIds?: string[];

  @ApiPropertyOptional({
    enum: SCAN_TYPES,
    isArray: true,
    minItems: 1,
    description: 'For all of `clusterIds`; absent, every failed scan item.',
  })
  @MayBeAbsent()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(SCAN_TYPES, { each: true })
  scanTypes?: ScanType[];

  @ApiPropertyOptional({ enum: PRIORITIES, default: 'normal' })
  @MayBeAbsent()
  @IsIn(PRIORITIES)
  priority?: Priority;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'The last moment at which a call may leave.' })
  @MayBeAbsent()
  @Rfc3339Date()
  deadline?: Date;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: MAX_ROUNDS,
    default: 1,
    description: 'A target whose scan fails again is sent again after a pause, up to so many times in all.',
  })
  @MayBeAbsent()
  @IsInt()
  @Min(1)
  @Max(MAX_ROUNDS)
  maxRounds?: number;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string', maxLength: 255 },
    description: 'At most 20; keys of 1 to 63 characters.',
  })
  @MayBeAbsent()
  @IsLabels()
  labels?: Record<string, string>;

  @ApiCallbackUrl()
  @MayBeAbsent()
  @IsUrlText()
  callbackUrl?: string;
}
