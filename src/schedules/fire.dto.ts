import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import {
  CLUSTERS_LEFT_OUT,
  FIRE_KINDS,
  FIRE_STATES,
  type ClusterLeftOut,
  type FireKind,
  type FireState,
} from '../domain/schedule.js';
import { MayBeAbsent } from '../platform/http/dto-rules.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';

const count = (description: string): PropertyDecorator => ApiProperty({ type: Number, description });
const moment = (description: string): PropertyDecorator =>
  ApiProperty({ type: String, format: 'date-time', nullable: true, description });

export class FireDto {
  @ApiProperty({ type: String, format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, format: 'uuid' }) scheduleId!: string;
  @ApiProperty({ type: String }) projectId!: string;
  @ApiProperty({ type: String, format: 'date-time' }) dueAt!: Date;
  @ApiProperty({ enum: FIRE_KINDS }) kind!: FireKind;
  @ApiProperty({ enum: FIRE_STATES, description: 'Open while it reads and submits.' }) state!: FireState;
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Skipped as `still_open` or `missed`; failed as `not_readable`, `refused`, `not_read_in_time` or `deleted`.',
  })
  reason!: string | null;
  @moment('Due times from this one on passed before it while the service was away.') missedSince!: Date | null;
  @ApiProperty({ type: String, format: 'date-time' }) createdAt!: Date;
  @moment('When it had read and submitted all.') endedAt!: Date | null;
  @count('Scan tasks that it saw') tasksSeen!: number;
  @count('Scan tasks of which it took clusters: as many requests') tasksTaken!: number;
  @count('Failed clusters that it saw') clustersSeen!: number;
  @count('Failed clusters that it took') clustersTaken!: number;
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'number' },
    example: { live: 3, tried_too_often: 1 },
    description: 'Failed clusters that it left out, by reason.',
  })
  leftOut!: Readonly<Record<string, number>>;
}

export class FirePageDto {
  @ApiProperty({ type: [FireDto] }) items!: FireDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export const FIRE_TASK_STATES = ['waiting', 'submitted', 'left_out'] as const;

export class FireTaskDto {
  @ApiProperty({ type: String }) taskId!: string;
  @ApiProperty({ enum: FIRE_TASK_STATES }) state!: (typeof FIRE_TASK_STATES)[number];
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      'Left out for `no_failures`, `below_min_failed`, `too_many`, `max_clusters`, `nothing_left`, `refused` or `not_readable`.',
  })
  reason!: string | null;
  @ApiProperty({ type: Number, nullable: true, description: 'Failed clusters, as HSS said.' }) failed!: number | null;
  @count('Failed clusters that were read') clustersSeen!: number;
  @count('Failed clusters that were taken') clustersTaken!: number;
  @ApiProperty({ type: String, format: 'uuid', nullable: true }) requestId!: string | null;
}

export class FireTaskPageDto {
  @ApiProperty({ type: [FireTaskDto] }) items!: FireTaskDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class FireClusterDto {
  @ApiProperty({ type: String }) taskId!: string;
  @ApiProperty({ type: String }) clusterId!: string;
  @ApiProperty({ enum: CLUSTERS_LEFT_OUT }) reason!: ClusterLeftOut;
}

export class FireClusterPageDto {
  @ApiProperty({ type: [FireClusterDto] }) items!: FireClusterDto[];
  @ApiProperty({ type: String, nullable: true }) nextCursor!: string | null;
}

export class FireClusterQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ enum: CLUSTERS_LEFT_OUT })
  @MayBeAbsent()
  @IsIn(CLUSTERS_LEFT_OUT)
  reason?: ClusterLeftOut;
}
