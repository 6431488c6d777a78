import { ApiProperty } from '@nestjs/swagger';
import { WAITING_FOR, type WaitingFor } from '../domain/lane.js';
import { SCAN_TYPES, type ScanType } from '../domain/scan-type.js';
import { TARGET_RESULTS, TARGET_STATES, type TargetResult, type TargetState } from '../domain/target.js';

export class ReasonDto {
  @ApiProperty({ type: String, description: 'Stable: an error code of HSS, or one of ours.' }) code!: string;
  @ApiProperty({ type: String, nullable: true }) text!: string | null;
}

export class ScanItemDto {
  @ApiProperty({ type: Number, description: 'The round at whose end HSS said so.' }) round!: number;
  @ApiProperty({
    type: String,
    format: 'uuid',
    description: 'The call whose scan it was; of another target, where it was shared.',
  })
  callId!: string;
  @ApiProperty({ type: String, description: 'As HSS names it; "unknown" where it names none.' }) scanType!: string;
  @ApiProperty({ enum: ['scanning', 'success', 'failed'], nullable: true }) status!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Why it failed, in the words of HSS.' }) reason!:
    string | null;
}

export class TargetDto {
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Null: the whole task, before HSS has listed its clusters.',
  })
  clusterId!: string | null;
  @ApiProperty({ enum: SCAN_TYPES, isArray: true, nullable: true, description: 'Null: every failed scan item.' })
  scanTypes!: ScanType[] | null;
  @ApiProperty({ enum: TARGET_STATES }) state!: TargetState;
  @ApiProperty({ enum: TARGET_RESULTS, nullable: true }) result!: TargetResult | null;
  @ApiProperty({ type: ReasonDto, nullable: true }) reason!: ReasonDto | null;
  @ApiProperty({ type: [ScanItemDto], description: 'What HSS said of its scan items, round by round.' })
  scans!: ScanItemDto[];
  @ApiProperty({ type: Number, description: 'One more than the scans that have failed since it was sent first.' })
  round!: number;
  @ApiProperty({ type: Number }) attempts!: number;
  @ApiProperty({ type: [String], description: 'The calls that it was in, oldest first.' }) callIds!: string[];
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'From when on it may be sent.' })
  dueAt!: Date | null;
  @ApiProperty({
    enum: WAITING_FOR,
    nullable: true,
    description:
      'What it waits for; null where it does not wait. "live_cluster": another call has its cluster. "scan": HSS was scanning its ' +
      'cluster already; it ends with that scan or is sent after it, and at dueAt whatever came of it. "listing": the answer of HSS which ' +
      'clusters have failed.',
  })
  waitingFor!: WaitingFor | null;
}

export class TargetPageDto {
  @ApiProperty({ type: [TargetDto] }) items!: TargetDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
