import { ApiProperty } from '@nestjs/swagger';

export class EventDto {
  @ApiProperty({ type: String, format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, format: 'date-time' }) at!: Date;
  @ApiProperty({ type: String, description: 'Such as `request.submitted`, `call.accepted`, `targets.ended`.' })
  kind!: string;
  @ApiProperty({ type: String, description: 'The caller who did it; `rescan`: the service itself.' }) actor!: string;
  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'With which key.' }) keyId!: string | null;
  @ApiProperty({ type: String, nullable: true, description: 'Null: it belongs to no project.' })
  projectId!: string | null;
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) requestId!: string | null;
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) callId!: string | null;
  @ApiProperty({ type: String, nullable: true }) laneId!: string | null;
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) scheduleId!: string | null;
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'What was decided, and on which grounds; `targets` is how many clusters it is about.',
  })
  data!: Record<string, unknown>;
  @ApiProperty({
    type: [String],
    nullable: true,
    description: 'The first 20 of these clusters; null where it names none.',
  })
  clusterIds!: string[] | null;
  @ApiProperty({ type: String, nullable: true, description: 'In the words of HSS; null where it said nothing.' })
  text!: string | null;
  @ApiProperty({ type: Boolean, description: 'There was a text, and it was taken out since.' }) redacted!: boolean;
}

export class EventPageDto {
  @ApiProperty({ type: [EventDto] }) items!: EventDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}
