import { ApiProperty } from '@nestjs/swagger';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import {
  REQUEST_RANGES,
  REQUEST_SOURCES,
  REQUEST_STATES,
  type RequestRange,
  type RequestSource,
  type RequestState,
} from '../domain/request.js';

import { EstimateDto } from './estimate.dto.js';

const count = (description: string): PropertyDecorator => ApiProperty({ type: Number, description });

/** Adds up: `total` is the sum of the others. */
export class RequestCountsDto {
  @count('All targets') total!: number;
  @count('Waiting for a call') waiting!: number;
  @count('In a call that is being sent') sending!: number;
  @count('In a call whose fate is not known yet') unknown!: number;
  @count('In a call that HSS accepted; no verdict yet') accepted!: number;
  @count('Scanned well after the retry') succeeded!: number;
  @count('Scanned, and failed again') scanFailed!: number;
  @count('Had not failed: nothing to retry') notFailed!: number;
  @count('HSS does not know the cluster in this task') notFound!: number;
  @count('HSS refused it') rejected!: number;
  @count('All attempts were used up') exhausted!: number;
  @count('The deadline or the maximum age passed first') expired!: number;
  @count('Cancelled before a call took it') cancelled!: number;
  @count('Sent, and no verdict came in time') unverified!: number;
}

export class RequestDto {
  @ApiProperty({ type: String, format: 'uuid' }) id!: string;
  @ApiProperty({ type: String }) projectId!: string;
  @ApiProperty({ type: String }) enterpriseProjectId!: string;
  @ApiProperty({ type: String }) taskId!: string;
  @ApiProperty({ enum: REQUEST_RANGES }) range!: RequestRange;
  @ApiProperty({ enum: PRIORITIES }) priority!: Priority;
  @ApiProperty({ type: Number, description: 'How often a target whose scan fails is sent at most.' })
  maxRounds!: number;
  @ApiProperty({ enum: REQUEST_STATES }) state!: RequestState;
  @ApiProperty({ enum: REQUEST_SOURCES }) source!: RequestSource;
  @ApiProperty({ type: String, description: 'Whose key it was submitted with.' }) caller!: string;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } }) labels!: Record<string, string>;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) deadline!: Date | null;
  @ApiProperty({ type: String, format: 'date-time' }) createdAt!: Date;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When for the first time nothing of it waited for a call, or for the answer to one.',
  })
  acceptedAt!: Date | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) finishedAt!: Date | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) cancelRequestedAt!: Date | null;
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) replayOf!: string | null;
  @ApiProperty({
    type: Boolean,
    description: 'False while a request for all failed clusters counts as one target: HSS has not listed them yet.',
  })
  resolved!: boolean;
  @ApiProperty({
    type: EstimateDto,
    nullable: true,
    description: 'Of what still waits; null where nothing does, and in lists.',
  })
  estimate!: EstimateDto | null;
  @ApiProperty({ type: RequestCountsDto }) counts!: RequestCountsDto;
}

export class RequestPageDto {
  @ApiProperty({ type: [RequestDto] }) items!: RequestDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
