import { Injectable } from '@nestjs/common';
import type { BackoffPolicy } from '../domain/retry-policy.js';
import type { PassPosition } from '../domain/verdict-pass.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { AWAITS_SCAN } from './awaited-scans.js';
import { readable } from './choosing.js';
import type { ListLane } from './listings.js';

/** A page of the running tasks of a project, in the view of one enterprise project. */
export interface DueView {
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly offset: number;
  readonly beganAt: Date;
  readonly failures: number;
  /** The only task that is due in the view: it is asked for by itself. */
  readonly onlyTaskId: string | null;
}

/** A watched task of the view that is running still. */
export interface RunningWatch {
  readonly scanTaskId: bigint;
  readonly taskId: string;
  /** Since when no pass over its clusters has been completed. */
  readonly since: Date;
}

/** A page of a scan task's clusters that is read for their verdicts. */
export interface DueWatch extends PassPosition {
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly taskId: string;
  readonly enterpriseProjectId: string;
  readonly since: Date;
  readonly beganAt: Date;
  /** The task does not run: what has not begun to scan by now is not queued either. */
  readonly atRest: boolean;
  readonly failures: number;
}

/** What is urgent comes first, but no sooner than what has waited ten minutes longer for each class between them. */
export const neededAt = (since: Prisma.Sql, priority: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`${since} + ${priority} * interval '10 minutes'`;

/** Scan tasks whose clusters scan because of us, or whose scans we wait for, and when each is read next. A watch is locked last of all. */
@Injectable()
export class WatchLedger {
  /** A call for the task was accepted. */
  async begin(tx: Tx, callId: string, now: Date, poll: BackoffPolicy): Promise<void> {
    await this.insert(
      tx,
      Prisma.sql`
        SELECT call.scan_task_id AS id, coalesce((SELECT min(priority) FROM target WHERE id = ANY(call.target_ids)), 2) AS priority
          FROM call WHERE call.id = ${callId}::uuid`,
      now,
      poll,
    );
  }

  /** Where targets of the task wait for the end of scans that were there before. */
  async beginForScans(tx: Tx, scanTaskId: bigint, now: Date, poll: BackoffPolicy): Promise<void> {
    await this.insert(
      tx,
      Prisma.sql`
        SELECT t.scan_task_id AS id, min(t.priority) AS priority FROM target AS t
         WHERE t.scan_task_id = ${scanTaskId} AND ${AWAITS_SCAN} GROUP BY t.scan_task_id`,
      now,
      poll,
    );
  }

  /**
   * The first look is after as long as scans of the project take, within these bounds.
   * @param of the scan task, with the priority of its most urgent target
   */
  private async insert(
    tx: Tx,
    of: Prisma.Sql,
    now: Date,
    { baseMs: soonestMs, capMs: latestMs }: BackoffPolicy,
  ): Promise<void> {
    const dueAt = Prisma.sql`${now}::timestamptz + greatest(${soonestMs}::float8, least(coalesce(p.scan_ms, 0), ${latestMs}::float8)) * interval '1 ms'`;
    await tx.$executeRaw`
      INSERT INTO watch (scan_task_id, project_id, enterprise_project_id, priority, needed_at, due_at, since)
      SELECT s.id, s.project_id, s.enterprise_project_id, wanted.priority,
             ${neededAt(Prisma.sql`${now}::timestamptz`, Prisma.sql`wanted.priority`)}, ${dueAt}, ${now}::timestamptz
        FROM (${of}) AS wanted JOIN scan_task AS s ON s.id = wanted.id JOIN project AS p ON p.id = s.project_id
      ON CONFLICT (scan_task_id) DO UPDATE
         SET priority = least(watch.priority, excluded.priority), needed_at = least(watch.needed_at, excluded.needed_at),
             due_at = CASE WHEN watch.step = 'running' THEN least(watch.due_at, excluded.due_at) ELSE watch.due_at END`;
  }

  /** The view whose watches have waited longest; nobody else reads its running tasks before this page's call could have ended. */
  async takeView(tx: Tx, { credential, projects }: ListLane, now: Date, leaseUntil: Date): Promise<DueView | null> {
    const isDue = Prisma.sql`step = 'running' AND due_at <= ${now}::timestamptz`;
    const [view] = await tx.$queryRaw<DueView[]>`
      WITH due AS (
        SELECT project_id, enterprise_project_id FROM watch AS w
         WHERE ${isDue} AND project_id IN (${readable(projects)})
           AND NOT EXISTS (SELECT 1 FROM running_list AS r
                            WHERE r.project_id = w.project_id AND r.enterprise_project_id = w.enterprise_project_id
                              AND (r.due_at > ${now}::timestamptz OR ${isOfAnother(credential, now)}))
         ORDER BY needed_at LIMIT 1)
      INSERT INTO running_list AS r (project_id, enterprise_project_id, credential, due_at, began_at)
      SELECT project_id, enterprise_project_id, ${credential}, ${leaseUntil}::timestamptz, ${now}::timestamptz FROM due
      ON CONFLICT (project_id, enterprise_project_id) DO UPDATE
         SET credential = excluded.credential, due_at = excluded.due_at,
             began_at = CASE WHEN r."offset" > 0 AND r.credential = excluded.credential THEN r.began_at ELSE excluded.began_at END,
             "offset" = CASE WHEN r.credential = excluded.credential THEN r."offset" ELSE 0 END
       WHERE r.due_at <= ${now}::timestamptz
      RETURNING r.project_id AS "projectId", r.enterprise_project_id AS "enterpriseProjectId", r."offset", r.began_at AS "beganAt",
                r.failures,
                (SELECT CASE WHEN r."offset" = 0 AND count(*) = 1 THEN min(task_id) END
                   FROM (SELECT s.task_id FROM watch AS w JOIN scan_task AS s ON s.id = w.scan_task_id
                          WHERE w.project_id = r.project_id AND w.enterprise_project_id = r.enterprise_project_id
                            AND ${isDue} LIMIT 2) AS due) AS "onlyTaskId"`;
    return view ?? null;
  }

  /** When the next view may be read; a moment that is past where one is due. */
  async nextViewAt(tx: Tx, { credential, projects }: ListLane): Promise<Date | null> {
    // What another credential is reading is nothing to come back for at once.
    const isTheirs = Prisma.sql`r."offset" > 0 AND r.credential <> ${credential}`;
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(greatest(w.due_at, r.due_at + CASE WHEN ${isTheirs} THEN ${TAKE_OVER} ELSE interval '0' END)) AS at
        FROM watch AS w LEFT JOIN running_list AS r USING (project_id, enterprise_project_id)
       WHERE w.step = 'running' AND w.project_id IN (${readable(projects)})`;
    return next?.at ?? null;
  }

  /** Those of a view that the page showed running. */
  async running(tx: Tx, view: DueView, taskIds: readonly string[]): Promise<RunningWatch[]> {
    return tx.$queryRaw`
      SELECT w.scan_task_id AS "scanTaskId", s.task_id AS "taskId", w.since
        FROM scan_task AS s JOIN watch AS w ON w.scan_task_id = s.id
       WHERE s.project_id = ${view.projectId} AND s.enterprise_project_id = ${view.enterpriseProjectId}
         AND s.task_id = ANY(${[...taskIds]}::text[]) AND w.step = 'running'`;
  }

  /** Looked at again later; or, where `read`, its clusters are read although it is running. */
  async putOff(tx: Tx, watches: readonly { scanTaskId: bigint; dueAt: Date; read: boolean }[]): Promise<void> {
    if (watches.length === 0) return;
    await tx.$executeRaw`
      WITH told AS (
        SELECT * FROM unnest(${watches.map(({ scanTaskId }) => scanTaskId)}::bigint[],
                             ${watches.map(({ dueAt }) => dueAt)}::timestamptz[],
                             ${watches.map(({ read }) => read)}::boolean[]) AS t (id, due_at, read)),
      locked AS MATERIALIZED (
        SELECT scan_task_id FROM watch WHERE scan_task_id IN (SELECT id FROM told) ORDER BY scan_task_id FOR UPDATE)
      UPDATE watch AS w
         SET due_at = told.due_at, step = CASE WHEN told.read THEN 'failed' ELSE w.step END::watch_step, at_rest = false, ${newPass}
        FROM told JOIN locked ON locked.scan_task_id = told.id
       WHERE w.scan_task_id = told.id AND w.step = 'running'`;
  }

  /**
   * What was due when the list was begun, and is not in it, does not run any more: its clusters are read.
   * @param isSure false where a running one may have been missed: its clusters are read, and nothing is made of its rest
   */
  async conclude(tx: Tx, view: DueView, now: Date, isSure: boolean): Promise<void> {
    await tx.$executeRaw`
      WITH locked AS MATERIALIZED (
        SELECT scan_task_id FROM watch
         WHERE ${ofView(view)} AND step = 'running' AND due_at <= ${view.beganAt}::timestamptz
         ORDER BY scan_task_id FOR UPDATE)
      UPDATE watch AS w
         SET due_at = ${now}::timestamptz, ${newPass}, at_rest = ${isSure},
             -- The page of all that failed tells no more of a single one than it by itself.
             step = CASE WHEN (SELECT count(*) FROM (
                                (SELECT l.cluster_id FROM call JOIN live_cluster AS l ON l.call_id = call.id
                                  WHERE call.scan_task_id = w.scan_task_id AND ${IS_WATCHED} LIMIT 2)
                                 UNION
                                (SELECT DISTINCT t.cluster_id FROM target AS t
                                  WHERE t.scan_task_id = w.scan_task_id AND ${AWAITS_SCAN} LIMIT 2)) AS l) = 1
                         THEN 'alone' ELSE 'failed' END::watch_step
        FROM locked WHERE w.scan_task_id = locked.scan_task_id`;
  }

  /** The next page of the list, as long as anybody waits for it; or the list ends, and is begun anew when somebody does. */
  async goOnWithView(tx: Tx, view: DueView, nextOffset: number | null, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE running_list
         SET due_at = ${now}::timestamptz, failures = 0,
             "offset" = CASE WHEN EXISTS (SELECT 1 FROM watch WHERE ${ofView(view)} AND step = 'running'
                                                                AND due_at <= ${view.beganAt}::timestamptz)
                             THEN ${nextOffset ?? 0}::int ELSE 0 END
       WHERE ${ofView(view)}`;
  }

  async postponeView(tx: Tx, view: DueView, dueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE running_list SET failures = failures + 1, due_at = ${dueAt}::timestamptz WHERE ${ofView(view)}`;
  }

  /** Whether the page that was asked for is still the next one of the list. */
  async isNextOfView(tx: Tx, view: DueView): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM running_list
       WHERE ${ofView(view)} AND "offset" = ${view.offset}::int AND began_at = ${view.beganAt}::timestamptz FOR UPDATE`;
    return rows.length > 0;
  }

  /** The projects with something that is due, and whether it is a list of tasks or of clusters. */
  async projectsDue(tx: Tx): Promise<{ projectId: string; of: 'tasks' | 'clusters' }[]> {
    return tx.$queryRaw`
      SELECT DISTINCT project_id AS "projectId", CASE WHEN step = 'running' THEN 'tasks' ELSE 'clusters' END AS of
        FROM watch WHERE due_at <= (SELECT rescan_now())`;
  }
}

const ofView = ({ projectId, enterpriseProjectId }: Pick<DueView, 'projectId' | 'enterpriseProjectId'>): Prisma.Sql =>
  Prisma.sql`project_id = ${projectId} AND enterprise_project_id = ${enterpriseProjectId}`;

const newPass = Prisma.sql`credential = NULL, began_at = NULL, "offset" = 0, asked_alone = 0`;

/** After so long another credential goes on with a list. */
const TAKE_OVER = Prisma.sql`interval '5 minutes'`;

/** All pages of one list are read with one credential, unless it has not come back for them. */
const isOfAnother = (credential: string, now: Date): Prisma.Sql => Prisma.sql`
  (r."offset" > 0 AND r.credential <> ${credential} AND r.due_at > ${now}::timestamptz - ${TAKE_OVER})`;

/** Accepted, and its targets are in it still. */
export const IS_WATCHED = Prisma.sql`(call.verdict_due_at IS NOT NULL AND call.state IN ('accepted', 'partly_accepted'))`;
