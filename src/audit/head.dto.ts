import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsProjectId, MayBeAbsent } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

export class HeadQueryDto extends PageQueryDto {
  @ApiPropertyOptional({
    type: String,
    description: 'Absent: the chain of events of no project (lanes, keys), for keys of all projects only.',
  })
  @MayBeAbsent()
  @IsProjectId()
  projectId?: string;
}

export class HeadDto {
  @ApiProperty({ type: String, description: 'Empty: events of no project.' }) projectId!: string;
  @ApiProperty({ type: Number, description: 'How many events the chain had.' }) seq!: number;
  @ApiProperty({ type: String, description: 'Hash of the last of them, in hex.' }) hash!: string;
  @ApiProperty({ type: String, format: 'date-time' }) at!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of the key that signed it; null where the service had none.',
  })
  keyId!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Ed25519, in base64.' }) signature!: string | null;
}

export class HeadPageDto {
  @ApiProperty({ type: [HeadDto] }) items!: HeadDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class HeadKeyDto {
  @ApiProperty({ type: String }) id!: string;
  @ApiProperty({ type: String, description: 'SPKI, in PEM.' }) publicKey!: string;
  @ApiProperty({ type: String, format: 'date-time' }) since!: Date;
}

export class HeadKeyListDto {
  @ApiProperty({ type: [HeadKeyDto], description: 'Newest first, at most 100.' }) items!: HeadKeyDto[];
}
