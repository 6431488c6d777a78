import { Injectable } from '@nestjs/common';
import type { PassPosition } from '../domain/verdict-pass.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { AWAITS_SCAN } from './awaited-scans.js';
import { readable } from './choosing.js';
import type { ListLane } from './listings.js';
import { IS_WATCHED, neededAt, type DueWatch } from './watches.js';

/** Passes over the clusters of watched scan tasks, page by page. The scan task is locked, but for taking one. */
@Injectable()
export class WatchPassLedger {
  /** The pass that is needed most; nobody else gets it before this page's call could have ended. */
  async takeDue(tx: Tx, { credential, projects }: ListLane, now: Date, leaseUntil: Date): Promise<DueWatch | null> {
    const [row] = await tx.$queryRaw<DueWatch[]>`
      WITH due AS (
        SELECT scan_task_id FROM watch
         WHERE step <> 'running' AND due_at <= ${now}::timestamptz AND project_id IN (${readable(projects)})
           AND ${isFor(credential, now)}
         ORDER BY needed_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      UPDATE watch AS w
         SET due_at = ${leaseUntil}::timestamptz, credential = ${credential}, began_at = coalesce(w.began_at, ${now}::timestamptz)
        FROM due, scan_task AS s
       WHERE w.scan_task_id = due.scan_task_id AND s.id = w.scan_task_id
      RETURNING s.id AS "scanTaskId", s.project_id AS "projectId", s.task_id AS "taskId",
                s.enterprise_project_id AS "enterpriseProjectId", w.step::text AS step, w."offset", w.asked_alone AS "askedAlone",
                w.since, w.began_at AS "beganAt", w.at_rest AS "atRest", w.failures`;
    return row ?? null;
  }

  async nextDueAt(tx: Tx, { credential, projects }: ListLane, now: Date): Promise<Date | null> {
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(due_at) AS at FROM watch
       WHERE step <> 'running' AND project_id IN (${readable(projects)}) AND ${isFor(credential, now)}`;
    return next?.at ?? null;
  }

  /** The page that was asked for is still the next one. */
  async isNext(tx: Tx, watch: DueWatch): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM watch
       WHERE scan_task_id = ${watch.scanTaskId} AND step = ${watch.step}::watch_step AND "offset" = ${watch.offset}::int
         AND asked_alone = ${watch.askedAlone}::smallint AND began_at = ${watch.beganAt}::timestamptz`;
    return rows.length > 0;
  }

  /**
   * How many clusters of watched calls, or with awaited scans, the pass has not shown yet, up to `atMost`, and one of them. What was
   * accepted since it began is for the next one: it can hardly have ended, and asked for one by one it would cost twenty calls.
   */
  async unseen(
    tx: Tx,
    scanTaskId: bigint,
    beganAt: Date,
    atMost: number,
  ): Promise<{ n: number; first: string | null }> {
    const [row] = await tx.$queryRaw<{ n: number; first: string | null }[]>`
      SELECT count(*)::int AS n, min(cluster_id) AS first FROM (
        (SELECT l.cluster_id FROM call JOIN live_cluster AS l ON l.call_id = call.id
          WHERE call.scan_task_id = ${scanTaskId} AND ${IS_WATCHED} AND call.finished_at <= ${beganAt}::timestamptz
            AND l.cluster_id <> ''
            AND coalesce(l.seen_at, '-infinity') < ${beganAt}::timestamptz
          LIMIT ${atMost}::int)
         UNION
        (SELECT DISTINCT t.cluster_id FROM target AS t
          WHERE t.scan_task_id = ${scanTaskId} AND ${AWAITS_SCAN} AND t.scan_seen_at < ${beganAt}::timestamptz
          LIMIT ${atMost}::int)
         LIMIT ${atMost}::int) AS unseen`;
    return row ?? { n: 0, first: null };
  }

  async goOn(tx: Tx, scanTaskId: bigint, { step, offset, askedAlone }: PassPosition, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE watch
         SET step = ${step}::watch_step, "offset" = ${offset}::int, asked_alone = ${askedAlone}::smallint, failures = 0,
             due_at = ${now}::timestamptz
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** The page could not be read: it is tried again later, and keeps no other from its turn meanwhile. */
  async postpone(tx: Tx, scanTaskId: bigint, dueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE watch
         SET failures = failures + 1, due_at = ${dueAt}::timestamptz,
             needed_at = ${neededAt(Prisma.sql`${dueAt}::timestamptz`, Prisma.sql`priority`)}
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** A task without any call that waits for verdicts, and without any scan that is awaited, is not watched any more. */
  async forgetIdle(tx: Tx, scanTaskId: bigint): Promise<void> {
    // Whoever has just had a call accepted has it locked, and that call is only seen by a statement after this one.
    await tx.$queryRaw`SELECT 1 FROM watch WHERE scan_task_id = ${scanTaskId} FOR UPDATE`;
    await tx.$executeRaw`
      DELETE FROM watch
       WHERE scan_task_id = ${scanTaskId}
         AND NOT EXISTS (SELECT 1 FROM call WHERE call.scan_task_id = ${scanTaskId} AND ${IS_WATCHED})
         AND NOT EXISTS (SELECT 1 FROM target AS t WHERE t.scan_task_id = ${scanTaskId} AND ${AWAITS_SCAN})`;
  }

  /**
   * The pass is over: what has no verdict yet is looked at again.
   * @param failures in a row, where it could not be read to its end
   */
  async end(tx: Tx, { scanTaskId, beganAt }: DueWatch, dueAt: Date, failures = 0): Promise<void> {
    await this.forgetIdle(tx, scanTaskId);
    await tx.$executeRaw`
      UPDATE watch
         SET step = 'running', due_at = ${dueAt}::timestamptz,
             needed_at = ${neededAt(Prisma.sql`${dueAt}::timestamptz`, Prisma.sql`priority`)}, since = ${beganAt}::timestamptz, credential = NULL, began_at = NULL,
             "offset" = 0, asked_alone = 0, at_rest = false, failures = ${failures}::smallint
       WHERE scan_task_id = ${scanTaskId}`;
  }
}

/** All pages of one pass are read with one credential, unless it has not come back for them. */
const isFor = (credential: string, now: Date): Prisma.Sql => Prisma.sql`
  (credential IS NULL OR credential = ${credential} OR due_at < ${now}::timestamptz - interval '5 minutes')`;
