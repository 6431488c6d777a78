import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsProjectId, MayBeAbsent } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class ScheduleQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ type: String })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;
}
