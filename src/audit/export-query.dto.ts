import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsString } from 'class-validator';
import { IsProjectId, MayBeAbsent, QueryInt, Rfc3339Date } from '../platform/http/dto-rules.js';
import { EXPORT_FORMATS, type ExportFormat } from './export-format.js';
import { EXPORT_KINDS, type ExportKind } from './export-scope.js';

export const MAX_EXPORTED = 1_000_000_000;

export class ExportQueryDto {
  @ApiProperty({ enum: EXPORT_KINDS })
  @IsIn(EXPORT_KINDS)
  kind!: ExportKind;

  @ApiProperty({ enum: EXPORT_FORMATS })
  @IsIn(EXPORT_FORMATS)
  format!: ExportFormat;

  @ApiPropertyOptional({ type: String, description: 'Absent: all of your projects.' })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'Calls started, targets requested, events recorded at or after.',
  })
  @MayBeAbsent()
  @Rfc3339Date()
  since?: Date;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'The same, before.' })
  @MayBeAbsent()
  @Rfc3339Date()
  until?: Date;

  @ApiPropertyOptional({ type: String, description: 'The `cursor` of a row: goes on with the one after it.' })
  @MayBeAbsent()
  @IsString()
  cursor?: string;

  @ApiPropertyOptional({ type: Number, minimum: 1, maximum: MAX_EXPORTED, description: 'Rows at most. Absent: all.' })
  @MayBeAbsent()
  @QueryInt(1, MAX_EXPORTED)
  limit: number = MAX_EXPORTED;
}
