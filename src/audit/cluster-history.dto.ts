import { ApiProperty } from '@nestjs/swagger';
import { IsDefined } from 'class-validator';
import { CALL_STATES, type CallState } from '../domain/call.js';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import { REQUEST_RANGES, REQUEST_SOURCES, type RequestRange, type RequestSource } from '../domain/request.js';
import { SCAN_TYPES, type ScanType } from '../domain/scan-type.js';
import { TARGET_RESULTS, TARGET_STATES, type TargetResult, type TargetState } from '../domain/target.js';
import { CALL_EFFECTS, type CallEffect } from '../domain/verdict.js';
import { IsProjectId } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class ClusterHistoryQueryDto extends PageQueryDto {
  @ApiProperty({ type: String })
  @IsDefined()
  @IsProjectId()
  projectId!: string;
}

export class AskedByDto {
  @ApiProperty({ type: String, format: 'uuid' }) requestId!: string;
  @ApiProperty({ type: String }) caller!: string;
  @ApiProperty({ type: String, format: 'uuid', description: 'With which key.' }) keyId!: string;
  @ApiProperty({ enum: REQUEST_SOURCES }) source!: RequestSource;
  @ApiProperty({ type: String, format: 'date-time' }) at!: Date;
  @ApiProperty({ enum: PRIORITIES }) priority!: Priority;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) labels!: Record<string, string>;
}

export class SentInDto {
  @ApiProperty({ type: String, format: 'uuid' }) callId!: string;
  @ApiProperty({
    type: Boolean,
    description: 'False: the call was for another request, and its scan counted for this one as well.',
  })
  own!: boolean;
  @ApiProperty({ type: String }) lane!: string;
  @ApiProperty({ type: String }) credential!: string;
  @ApiProperty({ enum: REQUEST_RANGES }) rangeType!: RequestRange;
  @ApiProperty({ enum: CALL_STATES }) state!: CallState;
  @ApiProperty({ type: String, format: 'date-time' }) startedAt!: Date;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) finishedAt!: Date | null;
  @ApiProperty({ type: Number, nullable: true }) httpStatus!: number | null;
  @ApiProperty({ type: String, nullable: true }) errorCode!: string | null;
  @ApiProperty({ type: String, nullable: true }) errorText!: string | null;
  @ApiProperty({ type: String, nullable: true }) upstreamRequestId!: string | null;
  @ApiProperty({ enum: CALL_EFFECTS }) effect!: CallEffect;
}

export class ClusterScanDto {
  @ApiProperty({ type: Number, description: 'The round at whose end HSS said so.' }) round!: number;
  @ApiProperty({ type: String, format: 'uuid', description: 'The call whose scan it was.' }) callId!: string;
  @ApiProperty({ type: String, description: 'As HSS names it; "unknown" where it names none.' }) scanType!: string;
  @ApiProperty({ type: String, nullable: true }) status!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Why it failed, in the words of HSS.' })
  reason!: string | null;
}

export class VerdictReasonDto {
  @ApiProperty({ type: String, description: 'Stable: an error code of HSS, or one of ours.' }) code!: string;
  @ApiProperty({ type: String, nullable: true }) text!: string | null;
}

/** What became of a cluster for one request. */
export class ClusterHistoryDto {
  @ApiProperty({ type: String }) taskId!: string;
  @ApiProperty({ type: String }) enterpriseProjectId!: string;
  @ApiProperty({ type: AskedByDto }) asked!: AskedByDto;
  @ApiProperty({ enum: SCAN_TYPES, isArray: true, nullable: true, description: 'Null: every failed scan item.' })
  scanTypes!: ScanType[] | null;
  @ApiProperty({ type: Number, description: 'Calls that it was in.' }) timesSent!: number;
  @ApiProperty({ type: [SentInDto], description: 'The last 100 of them, oldest first.' }) sent!: SentInDto[];
  @ApiProperty({ type: [ClusterScanDto], description: 'What HSS said of its scan items, round by round.' })
  scans!: ClusterScanDto[];
  @ApiProperty({ type: Number, description: 'One more than the scans that have failed since it was sent first.' })
  round!: number;
  @ApiProperty({ type: Number }) attempts!: number;
  @ApiProperty({ enum: TARGET_STATES }) state!: TargetState;
  @ApiProperty({ enum: TARGET_RESULTS, nullable: true }) result!: TargetResult | null;
  @ApiProperty({ type: VerdictReasonDto, nullable: true }) reason!: VerdictReasonDto | null;
}

export class ClusterHistoryPageDto {
  @ApiProperty({ type: [ClusterHistoryDto] }) items!: ClusterHistoryDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
