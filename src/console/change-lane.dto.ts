import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { MOST_CALLS } from '../domain/learned-limit.js';
import { IsLimit, IsWeights, MayBeAbsent } from '../platform/http/dto-rules.js';

export class ChangeLaneDto {
  @ApiPropertyOptional({
    type: Number,
    nullable: true,
    minimum: 1,
    maximum: MOST_CALLS,
    description: 'Calls a window; null: as the credentials file has it.',
  })
  @MayBeAbsent()
  @IsLimit()
  limit?: number | null;

  @ApiPropertyOptional({ type: Boolean, description: 'As `pause` and `resume`.' })
  @MayBeAbsent()
  @IsBoolean()
  paused?: boolean;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'number', minimum: 0.01, maximum: 100 },
    example: { 'team-a': 2 },
    description: 'Shares of callers, 1 unless told otherwise: one of 2 has two calls where others have one.',
  })
  @MayBeAbsent()
  @IsWeights()
  weights?: Record<string, number>;
}

export class PauseProjectDto {
  @ApiProperty({ type: Boolean })
  @IsBoolean()
  paused!: boolean;
}

export class ProjectDto {
  @ApiProperty({ type: String }) id!: string;
  @ApiProperty({ type: Boolean, description: 'Whether nothing may leave for it.' }) paused!: boolean;
}
