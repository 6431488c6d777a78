import { ApiProperty } from '@nestjs/swagger';
import { IsIn, Matches } from 'class-validator';

export const HAND_RESOLUTIONS = ['accepted', 'not_carried_out'] as const;

export class ResolveCallDto {
  @ApiProperty({ enum: HAND_RESOLUTIONS, description: 'What the call came to, as the operator found out.' })
  @IsIn(HAND_RESOLUTIONS)
  as!: (typeof HAND_RESOLUTIONS)[number];

  @ApiProperty({
    type: String,
    minLength: 1,
    maxLength: 500,
    description: 'How that was found out; it is recorded.',
  })
  @Matches(/^[^\p{Cc}\p{Cs}]{1,500}$/u, { message: 'must be a text of 1 to 500 printable characters' })
  reason!: string;
}
