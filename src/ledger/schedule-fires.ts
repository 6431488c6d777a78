import { Injectable } from '@nestjs/common';
import type { FailReason, FireKind, ScheduleTerms, SkipReason } from '../domain/schedule.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { readable } from './choosing.js';
import type { ListLane } from './listings.js';
import type { ScheduleRow } from './schedules.js';

export interface NewFire {
  readonly dueAt: Date;
  readonly kind: FireKind;
  /** Null: it is carried out. */
  readonly skipped: SkipReason | null;
  readonly missedSince: Date | null;
  readonly now: Date;
  readonly expiresAt: Date;
}

/** A fire whose next page may be read, or that is locked to take one. */
export interface OpenFire {
  readonly id: string;
  readonly scheduleId: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly name: string;
  readonly caller: string;
  readonly keyId: string;
  readonly terms: ScheduleTerms;
  readonly createdAt: Date;
  readonly step: 'tasks' | 'clusters';
  readonly place: number;
  /** The scan task whose clusters are read. */
  readonly taskId: string | null;
  readonly offset: number;
  readonly expected: number | null;
  readonly pages: number;
  readonly failures: number;
  readonly tasksSeen: number;
  readonly tasksTaken: number;
  readonly clustersSeen: number;
  readonly clustersTaken: number;
  readonly leftOut: Readonly<Record<string, number>>;
}

/** What a fire knows after another page. */
export type FireProgress = Pick<
  OpenFire,
  'step' | 'place' | 'offset' | 'expected' | 'tasksSeen' | 'tasksTaken' | 'clustersSeen' | 'clustersTaken' | 'leftOut'
>;

const COLUMNS = Prisma.sql`
  f.id, f.schedule_id AS "scheduleId", f.project_id AS "projectId", f.enterprise_project_id AS "enterpriseProjectId", s.name, s.caller,
  s.key_id AS "keyId", f.terms, f.created_at AS "createdAt", f.step::text AS step, f.place, t.task_id AS "taskId", f."offset",
  f.expected, f.pages, f.failures, f.tasks_seen AS "tasksSeen", f.tasks_taken AS "tasksTaken", f.clusters_seen AS "clustersSeen",
  f.clusters_taken AS "clustersTaken", f.left_out AS "leftOut"`;

/** Fires of schedules: one row for each due time. The schedule is locked while one is born; the fire itself, while a page is taken in. */
@Injectable()
export class FireLedger {
  /** @returns its id; null where this due time was taken before */
  async insert(tx: Tx, schedule: ScheduleRow, fire: NewFire): Promise<string | null> {
    const { selection } = schedule.terms;
    const taskIds = 'taskIds' in selection ? [...selection.taskIds] : [];
    const isOpen = fire.skipped === null;
    const step = taskIds.length > 0 ? 'clusters' : 'tasks';
    const [row] = await tx.$queryRaw<{ id: string }[]>`
      WITH born AS (
        INSERT INTO schedule_fire (schedule_id, project_id, enterprise_project_id, due_at, kind, state, reason, missed_since, terms,
                                   created_at, expires_at, ended_at, step, place, page_due_at, tasks_seen)
        VALUES (${schedule.id}::uuid, ${schedule.projectId}, ${schedule.enterpriseProjectId}, ${fire.dueAt}::timestamptz,
                ${fire.kind}::fire_kind, ${isOpen ? 'open' : 'skipped'}::fire_state, ${fire.skipped},
                ${fire.missedSince}::timestamptz, ${JSON.stringify(schedule.terms)}::jsonb, ${fire.now}::timestamptz,
                ${fire.expiresAt}::timestamptz, ${isOpen ? null : fire.now}::timestamptz, ${step}::fire_step,
                ${taskIds.length > 0 ? 1 : 0}::int, ${isOpen ? fire.now : null}::timestamptz, ${isOpen ? taskIds.length : 0}::int)
        ON CONFLICT (schedule_id, due_at) DO NOTHING RETURNING id),
      named AS (
        INSERT INTO fire_task (fire_id, task_id, place)
        SELECT born.id, task.id, task.place FROM born CROSS JOIN unnest(${taskIds}::text[]) WITH ORDINALITY AS task (id, place)
         WHERE ${isOpen})
      SELECT id FROM born`;
    return row?.id ?? null;
  }

  /** Whether it still reads, or a request of it has not ended. */
  async isOpen(tx: Tx, fireId: string | null): Promise<boolean> {
    if (fireId === null) return false;
    const [row] = await tx.$queryRaw<{ open: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM schedule_fire WHERE id = ${fireId}::uuid AND state = 'open')
             OR EXISTS (SELECT 1 FROM fire_task AS t
                        -- By their ids: as a join the planner would rather read all open requests.
                        CROSS JOIN LATERAL (SELECT state FROM request WHERE id = t.request_id OFFSET 0) AS r
                         WHERE t.fire_id = ${fireId}::uuid AND r.state = 'open') AS open`;
    return row?.open ?? false;
  }

  /** The fire that has waited longest for its next page; nobody else gets it before this page's call could have ended. */
  async takeDue(
    tx: Tx,
    { credential, projects }: ListLane,
    step: OpenFire['step'],
    now: Date,
    leaseUntil: Date,
  ): Promise<OpenFire | null> {
    const [row] = await tx.$queryRaw<OpenFire[]>`
      WITH due AS (
        SELECT id FROM schedule_fire
         WHERE page_due_at <= ${now}::timestamptz AND step = ${step}::fire_step AND project_id IN (${readable(projects)})
           AND ${isFor(credential)}
         ORDER BY page_due_at LIMIT 1 FOR UPDATE SKIP LOCKED),
      taken AS (
        UPDATE schedule_fire AS f SET page_due_at = ${leaseUntil}::timestamptz, credential = ${credential}
          FROM due WHERE f.id = due.id RETURNING f.*)
      SELECT ${COLUMNS} FROM taken AS f
        JOIN schedule AS s ON s.id = f.schedule_id
        LEFT JOIN fire_task AS t ON t.fire_id = f.id AND t.place = f.place`;
    return row ?? null;
  }

  async nextDueAt(tx: Tx, { credential, projects }: ListLane, step: OpenFire['step']): Promise<Date | null> {
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(page_due_at) AS at FROM schedule_fire
       WHERE page_due_at IS NOT NULL AND step = ${step}::fire_step AND project_id IN (${readable(projects)})
         AND ${isFor(credential)}`;
    return next?.at ?? null;
  }

  /** The projects with a page that is due, by step: whose list lanes want a bell. */
  async projectsDue(tx: Tx): Promise<{ projectId: string; step: OpenFire['step'] }[]> {
    return tx.$queryRaw`
      SELECT DISTINCT project_id AS "projectId", step::text AS step FROM schedule_fire
       WHERE page_due_at <= (SELECT rescan_now())`;
  }

  /** As it is now, locked; null where the page that was asked for is not the next one any more. */
  async lock(tx: Tx, { id, pages }: Pick<OpenFire, 'id' | 'pages'>): Promise<OpenFire | null> {
    const [row] = await tx.$queryRaw<OpenFire[]>`
      SELECT ${COLUMNS} FROM schedule_fire AS f
        JOIN schedule AS s ON s.id = f.schedule_id
        LEFT JOIN fire_task AS t ON t.fire_id = f.id AND t.place = f.place
       WHERE f.id = ${id}::uuid AND f.state = 'open' AND f.pages = ${pages}::int FOR UPDATE OF f`;
    return row ?? null;
  }

  /** Each page takes a slot of its own. */
  async goOn(tx: Tx, id: string, to: FireProgress, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule_fire SET ${progress(to)}, page_due_at = ${now}::timestamptz WHERE id = ${id}::uuid`;
  }

  async complete(tx: Tx, id: string, to: FireProgress, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule_fire SET ${progress(to)}, page_due_at = NULL, state = 'done', ended_at = ${now}::timestamptz
       WHERE id = ${id}::uuid`;
  }

  /** The upstream could not be read: tried again later. */
  async postpone(tx: Tx, id: string, failures: number, dueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE schedule_fire SET failures = ${failures}::smallint, page_due_at = ${dueAt}::timestamptz WHERE id = ${id}::uuid`;
  }

  /** What it has not read by then is left out. */
  fail(tx: Tx, id: string, reason: FailReason): Promise<number> {
    return this.failWhere(tx, Prisma.sql`id = ${id}::uuid`, reason);
  }

  failOfSchedule(tx: Tx, scheduleId: string, reason: FailReason): Promise<number> {
    return this.failWhere(tx, Prisma.sql`schedule_id = ${scheduleId}::uuid`, reason);
  }

  /** Those whose credential is gone, or whose lane has been closed for too long. */
  failExpired(tx: Tx): Promise<number> {
    return this.failWhere(tx, Prisma.sql`expires_at <= (SELECT rescan_now())`, 'not_read_in_time');
  }

  private async failWhere(tx: Tx, condition: Prisma.Sql, reason: FailReason): Promise<number> {
    const [row] = await tx.$queryRaw<{ n: number }[]>`
      WITH ended AS (
        UPDATE schedule_fire
           SET state = 'failed', reason = ${reason}, page_due_at = NULL, ended_at = (SELECT rescan_now())
         WHERE state = 'open' AND ${condition} RETURNING id),
      unread AS (
        UPDATE fire_task AS t SET state = 'left_out', reason = 'not_readable'
          FROM ended WHERE t.fire_id = ended.id AND t.state = 'waiting')
      SELECT count(*)::int AS n FROM ended`;
    return row?.n ?? 0;
  }
}

const progress = (to: FireProgress): Prisma.Sql => Prisma.sql`
  step = ${to.step}::fire_step, place = ${to.place}::int, "offset" = ${to.offset}::int, expected = ${to.expected}::int,
  pages = pages + 1, failures = 0, tasks_seen = ${to.tasksSeen}::int, tasks_taken = ${to.tasksTaken}::int,
  clusters_seen = ${to.clustersSeen}::int, clusters_taken = ${to.clustersTaken}::int, left_out = ${JSON.stringify(to.leftOut)}::jsonb`;

/** All pages of one fire are read with one credential. */
const isFor = (credential: string): Prisma.Sql => Prisma.sql`(credential IS NULL OR credential = ${credential})`;
