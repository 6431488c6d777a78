import { ApiProperty } from '@nestjs/swagger';
import { Matches } from 'class-validator';

export class RedactTextDto {
  @ApiProperty({ type: String, minLength: 1, maxLength: 500, description: 'Why, without the text; it is recorded.' })
  @Matches(/^[^\p{Cc}\p{Cs}]{1,500}$/u, { message: 'must be a text of 1 to 500 printable characters' })
  reason!: string;
}
