import { ApiProperty } from '@nestjs/swagger';
import { CALL_STATES, type CallState } from '../domain/call.js';
import { REQUEST_RANGES, type RequestRange } from '../domain/request.js';
import { SCAN_TYPES, type ScanType } from '../domain/scan-type.js';
import { CALL_EFFECTS, type CallEffect } from '../domain/verdict.js';

const moment = (description: string, nullable = false): PropertyDecorator =>
  ApiProperty({ type: String, format: 'date-time', nullable, description });

export class CallDto {
  @ApiProperty({ type: String, format: 'uuid' }) id!: string;
  @ApiProperty({ type: String }) lane!: string;
  @ApiProperty({ type: String }) credential!: string;
  @ApiProperty({ type: String }) projectId!: string;
  @ApiProperty({ type: String }) enterpriseProjectId!: string;
  @ApiProperty({ type: String }) taskId!: string;
  @ApiProperty({ enum: REQUEST_RANGES }) rangeType!: RequestRange;
  @ApiProperty({ type: Number, description: '0 for a whole task until its clusters are known.' }) clusterCount!: number;
  @ApiProperty({ enum: CALL_STATES }) state!: CallState;
  @moment('When its row was committed, before its first byte left') startedAt!: Date;
  @moment('Until when an answer is waited for') leaseUntil!: Date;
  @moment('When it was settled', true) finishedAt!: Date | null;
  @moment('When its slot in the lane is free again; null before it is settled', true) slotFreeAt!: Date | null;
  @ApiProperty({ type: Number, nullable: true }) httpStatus!: number | null;
  @ApiProperty({ type: String, nullable: true }) errorCode!: string | null;
  @ApiProperty({ type: String, nullable: true }) errorText!: string | null;
  @ApiProperty({ type: String, nullable: true, description: "For the vendor's support." })
  upstreamRequestId!: string | null;
  @ApiProperty({ type: Number, nullable: true }) durationMs!: number | null;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: 'What was decided on its outcome.',
  })
  decision!: Record<string, unknown> | null;
  @ApiProperty({
    enum: CALL_EFFECTS,
    description:
      'What an accepted call has shown in the lists of HSS: nothing yet; something; times after its sending; something, with the times of before; nothing until the end.',
  })
  effect!: CallEffect;
  @moment('Until when its verdicts are waited for; null where none is open', true) verdictDueAt!: Date | null;
  @ApiProperty({ type: String }) policyVersion!: string;
  @ApiProperty({ type: String, description: 'The process that sent it.' }) worker!: string;
  @ApiProperty({ type: String, description: 'SHA-256 of the body sent, in hex.' }) bodySha256!: string;
  @ApiProperty({ type: [String] }) requestIds!: string[];
}

export class CallPageDto {
  @ApiProperty({ type: [CallDto] }) items!: CallDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class CallTargetDto {
  @ApiProperty({ type: String, nullable: true }) clusterId!: string | null;
  @ApiProperty({
    enum: SCAN_TYPES,
    isArray: true,
    nullable: true,
    description: 'As sent; null: every failed scan item.',
  })
  scanTypes!: ScanType[] | null;
  @ApiProperty({ type: String, format: 'uuid' }) requestId!: string;
}

export class CallTargetPageDto {
  @ApiProperty({ type: [CallTargetDto], description: 'In the order sent.' }) items!: CallTargetDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
