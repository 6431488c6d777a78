import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsProjectId, MayBeAbsent } from '../platform/http/dto-rules.js';

export class RetryOutcomeQueryDto {
  @ApiPropertyOptional({ type: String, description: 'Absent: all of your projects together.' })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;
}

export class RetryOutcomeDto {
  @ApiProperty({ type: String }) scanType!: string;
  @ApiProperty({
    type: String,
    description:
      'Why it had failed, without digits and ids; "unknown" where nobody had read it before the retry, and the cluster has one item alone.',
  })
  reason!: string;
  @ApiProperty({ type: Number }) round!: number;
  @ApiProperty({ type: Number, description: 'Scan items that were retried and have a verdict.' }) tried!: number;
  @ApiProperty({ type: Number, description: 'Those of them that succeeded.' }) succeeded!: number;
}

export class RetryOutcomeListDto {
  @ApiProperty({ type: [RetryOutcomeDto], description: 'Most tried first, at most 500.' }) items!: RetryOutcomeDto[];
}
