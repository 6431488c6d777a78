import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { REQUEST_SOURCES, REQUEST_STATES, type RequestSource, type RequestState } from '../domain/request.js';
import { TARGET_RESULTS, TARGET_STATES, type TargetResult, type TargetState } from '../domain/target.js';
import { IsProjectId, IsTaskId, MayBeAbsent } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class RequestQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsTaskId()
  taskId?: string;

  @ApiPropertyOptional({ enum: REQUEST_STATES })
  @MayBeAbsent()
  @IsIn(REQUEST_STATES)
  state?: RequestState;

  @ApiPropertyOptional({ enum: REQUEST_SOURCES })
  @MayBeAbsent()
  @IsIn(REQUEST_SOURCES)
  source?: RequestSource;
}

export class SubmitQueryDto {
  @ApiPropertyOptional({
    enum: ['true', 'false'],
    description:
      'With true nothing is stored: the answer is a 200 with the estimate alone. It needs no Idempotency-Key.',
  })
  @MayBeAbsent()
  @IsIn(['true', 'false'])
  dryRun?: 'true' | 'false';
}

export class TargetQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ enum: TARGET_STATES })
  @MayBeAbsent()
  @IsIn(TARGET_STATES)
  state?: TargetState;

  @ApiPropertyOptional({ enum: TARGET_RESULTS })
  @MayBeAbsent()
  @IsIn(TARGET_RESULTS)
  result?: TargetResult;
}
