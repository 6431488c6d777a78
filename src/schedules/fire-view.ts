import { Injectable } from '@nestjs/common';
import type { ClusterLeftOut } from '../domain/schedule.js';
import { Prisma } from '../generated/prisma/client.js';
import { placeCursor, textCursor, toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { FireClusterDto, FireDto, FireTaskDto } from './fire.dto.js';

interface PageQuery {
  readonly limit: number;
  readonly cursor?: string;
}

const COLUMNS = Prisma.sql`
  id, schedule_id AS "scheduleId", project_id AS "projectId", due_at AS "dueAt", kind::text AS kind, state::text AS state, reason,
  missed_since AS "missedSince", created_at AS "createdAt", ended_at AS "endedAt", tasks_seen AS "tasksSeen",
  tasks_taken AS "tasksTaken", clusters_seen AS "clustersSeen", clusters_taken AS "clustersTaken", left_out AS "leftOut"`;

/** What fires came to. */
@Injectable()
export class FireView {
  constructor(private readonly prisma: PrismaService) {}

  /** @throws DomainError `not_found`, also for what belongs to other projects */
  async find(id: string, principal: Principal): Promise<FireDto> {
    const [fire] = await this.prisma.$queryRaw<FireDto[]>`
      SELECT ${COLUMNS} FROM schedule_fire WHERE id = ${id}::uuid`;
    return own(fire, principal);
  }

  /** Of one schedule, which the caller may see; newest first. */
  async list(scheduleId: string, { limit, cursor }: PageQuery): Promise<Page<FireDto>> {
    const after = uuidCursor(cursor);
    const rows = await this.prisma.$queryRaw<FireDto[]>`
      SELECT ${COLUMNS} FROM schedule_fire
       WHERE schedule_id = ${scheduleId}::uuid AND ${after === null ? Prisma.sql`true` : Prisma.sql`id < ${after}::uuid`}
       ORDER BY id DESC LIMIT ${limit + 1}::int`;
    return toPage(rows, limit, ({ id }) => id);
  }

  /** In the order in which it saw them. */
  async tasks(fireId: string, { limit, cursor }: PageQuery): Promise<Page<FireTaskDto>> {
    const rows = await this.prisma.$queryRaw<(FireTaskDto & { place: number })[]>`
      SELECT place, task_id AS "taskId", state::text AS state, reason, failed, clusters_seen AS "clustersSeen",
             clusters_taken AS "clustersTaken", request_id AS "requestId"
        FROM fire_task WHERE fire_id = ${fireId}::uuid AND place > ${placeCursor(cursor)}::int
       ORDER BY place LIMIT ${limit + 1}::int`;
    const { items, nextCursor } = toPage(rows, limit, ({ place }) => String(place));
    return { items: items.map(({ place: _place, ...task }) => task), nextCursor };
  }

  /** Those that it left out; what it took are the targets of its requests. */
  async clusters(
    fireId: string,
    { limit, cursor, reason }: PageQuery & { readonly reason?: ClusterLeftOut },
  ): Promise<Page<FireClusterDto>> {
    const after = textCursor(cursor, 2);
    const rows = await this.prisma.$queryRaw<FireClusterDto[]>`
      SELECT task_id AS "taskId", cluster_id AS "clusterId", reason FROM fire_cluster
       WHERE fire_id = ${fireId}::uuid AND ${reason === undefined ? Prisma.sql`reason IS NOT NULL` : Prisma.sql`reason = ${reason}`}
         AND ${after === null ? Prisma.sql`true` : Prisma.sql`(task_id, cluster_id) > (${after[0]}, ${after[1]})`}
       ORDER BY task_id, cluster_id LIMIT ${limit + 1}::int`;
    return toPage(rows, limit, ({ taskId, clusterId }) => `${taskId} ${clusterId}`);
  }
}
