import { ApiProperty } from '@nestjs/swagger';
import { LANE_BLOCKS, type LaneBlock } from '../domain/lane.js';

const moment = (description: string): PropertyDecorator =>
  ApiProperty({ type: String, format: 'date-time', nullable: true, description });

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;

export class LaneErrorDto {
  @ApiProperty({ type: String }) code!: string;
  @ApiProperty({ type: String, nullable: true }) text!: string | null;
  @ApiProperty({ type: String, format: 'date-time' }) at!: Date;
}

export class LaneDto {
  @ApiProperty({ type: String, example: 'main.retryTask' }) id!: string;
  @ApiProperty({ type: String }) credential!: string;
  @ApiProperty({ type: String }) operation!: string;
  @ApiProperty({ type: Number, nullable: true, description: 'Calls a window that are in force; null: no limit.' })
  limit!: number | null;
  @ApiProperty({
    type: Number,
    nullable: true,
    description:
      'What the credentials file or an operator allows; a 429 lowers it, each quiet window raises it by one.',
  })
  configuredLimit!: number | null;
  @ApiProperty({ type: Number }) windowMs!: number;
  @ApiProperty({ type: Number, description: 'Calls that count against the window now.' }) slotsInUse!: number;
  @moment('When the next call may leave at the earliest; null where only an answer or an operator can tell')
  nextCallAt!: Date | null;
  @moment('The end of a pause that a 429 asked for') pausedUntil!: Date | null;
  @ApiProperty({ enum: BREAKER_STATES }) breaker!: (typeof BREAKER_STATES)[number];
  @ApiProperty({ enum: LANE_BLOCKS, nullable: true, description: 'Why no call may leave now; null where one may.' })
  blockedBy!: LaneBlock | null;
  @ApiProperty({ type: LaneErrorDto, nullable: true }) lastError!: LaneErrorDto | null;
  @ApiProperty({ type: Number, description: 'Targets that wait in the projects that it serves.' })
  waitingTargets!: number;
  @moment('When the oldest request with waiting targets was submitted') oldestWaitingAt!: Date | null;
  @ApiProperty({ type: Number, description: 'Calls whose fate is not known yet.' }) unknownCalls!: number;
}

export class LaneListDto {
  @ApiProperty({ type: [LaneDto] }) items!: LaneDto[];
}
