import { ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMinSize, ArrayUnique, IsArray, IsIn } from 'class-validator';
import { PRIORITIES, type Priority } from '../domain/priority.js';
import { REPLAYABLE_RESULTS, type TargetResult } from '../domain/target.js';
import { IsUrlText, MayBeAbsent, Rfc3339Date } from '../platform/http/dto-rules.js';
import { ApiCallbackUrl } from './callback-url.js';

export class ReplayRequestDto {
  @ApiPropertyOptional({
    enum: REPLAYABLE_RESULTS,
    isArray: true,
    minItems: 1,
    description: 'Which targets to ask for again; absent, all of these.',
  })
  @MayBeAbsent()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(REPLAYABLE_RESULTS, { each: true })
  results?: TargetResult[];

  @ApiPropertyOptional({ enum: PRIORITIES, description: 'Absent: that of the request.' })
  @MayBeAbsent()
  @IsIn(PRIORITIES)
  priority?: Priority;

  @ApiPropertyOptional({ type: String, format: 'date-time' })
  @MayBeAbsent()
  @Rfc3339Date()
  deadline?: Date;

  @ApiCallbackUrl(' Absent: none, whatever the request had.')
  @MayBeAbsent()
  @IsUrlText()
  callbackUrl?: string;
}
