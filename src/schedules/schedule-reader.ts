import { Injectable } from '@nestjs/common';
import type { ScheduleTerms } from '../domain/schedule.js';
import { Prisma } from '../generated/prisma/client.js';
import { ScheduleLedger } from '../ledger/schedules.js';
import { toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { localTime } from './calendar.js';
import { nextFire, withJitter } from './next-fire.js';
import { PreviewDto, ScheduleDto } from './schedule.dto.js';

interface ScheduleView {
  id: string;
  name: string;
  projectId: string;
  enterpriseProjectId: string;
  caller: string;
  terms: ScheduleTerms;
  anchorAt: Date;
  enabled: boolean;
  nextDueAt: Date | null;
  nextFireAt: Date | null;
  lastFireId: string | null;
  createdAt: Date;
  updatedAt: Date;
  deletedAt: Date | null;
}

const COLUMNS = Prisma.sql`
  id, name, project_id AS "projectId", enterprise_project_id AS "enterpriseProjectId", caller, terms, anchor_at AS "anchorAt",
  paused_at IS NULL AND deleted_at IS NULL AS enabled, next_due_at AS "nextDueAt", next_fire_at AS "nextFireAt",
  last_fire_id AS "lastFireId", created_at AS "createdAt", updated_at AS "updatedAt", deleted_at AS "deletedAt"`;

@Injectable()
export class ScheduleReader {
  constructor(
    private readonly prisma: PrismaService,
    private readonly schedules: ScheduleLedger,
  ) {}

  /** Also one that was deleted: its record stays. @throws DomainError `not_found`, also for what belongs to other projects */
  async find(id: string, principal: Principal): Promise<ScheduleDto> {
    return toSchedule(await this.row(id, principal));
  }

  /** Newest first. */
  async list(
    { projectId, limit, cursor }: { projectId?: string; limit: number; cursor?: string },
    principal: Principal,
  ): Promise<Page<ScheduleDto>> {
    const after = uuidCursor(cursor);
    const conditions = [
      Prisma.sql`deleted_at IS NULL`,
      projectId === undefined ? null : Prisma.sql`project_id = ${projectId}`,
      principal.projects === '*' ? null : Prisma.sql`project_id = ANY(${[...principal.projects]}::text[])`,
      after === null ? null : Prisma.sql`id < ${after}::uuid`,
    ].filter((condition) => condition !== null);
    const rows = await this.prisma.$queryRaw<ScheduleView[]>`
      SELECT ${COLUMNS} FROM schedule WHERE ${Prisma.join(conditions, ' AND ')} ORDER BY id DESC LIMIT ${limit + 1}::int`;
    return toPage(rows.map(toSchedule), limit, ({ id }) => id);
  }

  /** Of a paused schedule: as if it were resumed now. */
  async preview(id: string, count: number, principal: Principal): Promise<PreviewDto> {
    const row = await this.row(id, principal);
    const timezone = row.terms.cron?.timezone ?? 'UTC';
    const items: PreviewDto['items'] = [];
    let next = row.nextDueAt ? withJitter(row, row.nextDueAt) : nextFire(row, await this.schedules.now(this.prisma));
    while (next && items.length < count) {
      items.push({ ...next, localTime: localTime(next.dueAt, timezone) });
      next = nextFire(row, next.dueAt);
    }
    return { timezone, items };
  }

  private async row(id: string, principal: Principal): Promise<ScheduleView> {
    const [row] = await this.prisma.$queryRaw<ScheduleView[]>`
      SELECT ${COLUMNS} FROM schedule WHERE id = ${id}::uuid`;
    return own(row, principal);
  }
}

function toSchedule({ terms, anchorAt: _anchor, ...row }: ScheduleView): ScheduleDto {
  const { selection, cron, every, jitter, priority, maxRounds, perCluster, minFailed, maxClusters, catchUp } = terms;
  const { id, name, projectId, enterpriseProjectId, caller, ...state } = row;
  const order = { selection, cron, every, jitter, priority, maxRounds, perCluster, minFailed, maxClusters, catchUp };
  return { id, name, projectId, enterpriseProjectId, caller, ...order, ...state };
}
