import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsString } from 'class-validator';
import { MayBeAbsent, QueryInt } from './dto-rules.js';
import { DEFAULT_LIMIT, MAX_LIMIT } from './page.js';

export class PageQueryDto {
  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })
  @MayBeAbsent()
  @QueryInt(1, MAX_LIMIT)
  limit: number = DEFAULT_LIMIT;

  @ApiPropertyOptional({ type: String, description: 'The `nextCursor` of the page before.' })
  @MayBeAbsent()
  @IsString()
  cursor?: string;
}
