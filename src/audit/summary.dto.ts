import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, Matches } from 'class-validator';
import { IsProjectId, IsTaskId, MayBeAbsent, Rfc3339Date } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { SUMMARY_GROUPS, type SummaryGroup } from './summary-group.js';

export const MAX_SUMMARY_DAYS = 93;

export class SummaryQueryDto extends PageQueryDto {
  @ApiProperty({
    enum: SUMMARY_GROUPS,
    description:
      'By `errorCode` there are figures of calls only, by `reason` of targets only; by `state` calls stand under their state, targets under their result.',
  })
  @IsIn(SUMMARY_GROUPS)
  groupBy!: SummaryGroup;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsTaskId()
  taskId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @Matches(/^[\w.-]{1,64}$/, { message: 'must be the name of a caller' })
  caller?: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: `From the hour that this lies in; a day before \`until\` by default, at most ${MAX_SUMMARY_DAYS}.`,
  })
  @MayBeAbsent()
  @Rfc3339Date()
  since?: Date;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'Up to the hour before this; now by default.',
  })
  @MayBeAbsent()
  @Rfc3339Date()
  until?: Date;
}

export class SpanDto {
  @ApiProperty({ type: Number, description: 'Seconds; at most 19 % above the true value.' }) p50!: number;
  @ApiProperty({ type: Number }) p95!: number;
}

export class SummaryRowDto {
  @ApiProperty({ type: String, description: 'What it is grouped by; hours and days are UTC.' }) key!: string;
  @ApiProperty({ type: Number, description: 'Targets that came to a result.' }) targets!: number;
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'number' },
    description: 'The targets by their result.',
    example: { succeeded: 40, scan_failed: 2 },
  })
  results!: Record<string, number>;
  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Succeeded, of those that HSS has scanned (succeeded and scan_failed); null where there is none.',
  })
  successRate!: number | null;
  @ApiProperty({
    type: Number,
    nullable: true,
    description: 'Calls that a target was in until it succeeded, on the average.',
  })
  attemptsUntilSuccess!: number | null;
  @ApiProperty({ type: SpanDto, nullable: true, description: 'From the submission to the acceptance of the call.' })
  timeToAccepted!: SpanDto | null;
  @ApiProperty({ type: SpanDto, nullable: true, description: 'From the submission to the verdict.' })
  timeToVerdict!: SpanDto | null;
  @ApiProperty({ type: Number, description: 'Calls that left, whatever they came to.' }) calls!: number;
  @ApiProperty({ type: Number, nullable: true }) clustersPerCall!: number | null;
}

export class SummaryDto {
  @ApiProperty({ type: [SummaryRowDto], description: 'In the order of their keys.' }) items!: SummaryRowDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
