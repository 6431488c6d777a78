import { ApiProperty } from '@nestjs/swagger';

export class EstimateDto {
  @ApiProperty({ type: Number, description: 'Calls that it takes by itself; company makes it no more.' })
  calls!: number;
  @ApiProperty({ type: Number, description: 'Calls that should leave before its first.' }) position!: number;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description:
      'When HSS should have accepted the last of them, if none fails; null where an operator has paused them.',
  })
  acceptedAt!: Date | null;
}

export class DryRunDto {
  @ApiProperty({ type: EstimateDto }) estimate!: EstimateDto;
}
