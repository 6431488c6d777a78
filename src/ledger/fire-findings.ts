import { Injectable } from '@nestjs/common';
import type { Candidate, Choice } from '../domain/fire.js';
import type { TaskLeftOut } from '../domain/schedule.js';
import type { FailedReasons } from '../domain/verdict.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { OpenFire } from './schedule-fires.js';

/** A scan task of a page; `failed` is null where the upstream did not say. */
export interface FoundTask {
  readonly taskId: string;
  readonly failed: number | null;
}

/** A failed cluster of a page, and whether the schedule is not about what has failed of it. */
export interface FoundCluster {
  readonly clusterId: string;
  readonly otherScanTypes: boolean;
  readonly reasons: FailedReasons;
}

export interface TaskEnd {
  /** Null: it was submitted. */
  readonly reason: TaskLeftOut | null;
  readonly requestId: string | null;
  /** As the list of its clusters said. */
  readonly failed: number | null;
  readonly clustersSeen: number;
  readonly clustersTaken: number;
}

/** Pages are of 200 rows at most: so that each row has a place, in the order seen. */
const PLACES_A_PAGE = 1_000;

/** What a fire saw, took and left out. The fire is locked. */
@Injectable()
export class FindingLedger {
  /** @returns how many of them it had not seen before */
  async keepTasks(tx: Tx, { id, pages }: OpenFire, rows: readonly FoundTask[]): Promise<number> {
    return tx.$executeRaw`
      INSERT INTO fire_task (fire_id, task_id, failed, place)
      SELECT ${id}::uuid, row.id, row.failed, ${pages * PLACES_A_PAGE}::int + row.place
        FROM unnest(${rows.map(({ taskId }) => taskId)}::text[], ${rows.map(({ failed }) => failed)}::int[])
             WITH ORDINALITY AS row (id, failed, place)
       ORDER BY row.id, row.place
      ON CONFLICT (fire_id, task_id) DO NOTHING`;
  }

  /** All are seen: those with too few failures are left out, and of the others those beyond so many. */
  async leaveOutTasks(tx: Tx, fireId: string, minFailed: number, most: number): Promise<void> {
    await tx.$executeRaw`
      WITH ranked AS (
        SELECT task_id, coalesce(failed >= ${minFailed}::int, true) AS wanted,
               row_number() OVER (PARTITION BY coalesce(failed >= ${minFailed}::int, true) ORDER BY place) AS nth
          FROM fire_task WHERE fire_id = ${fireId}::uuid)
      UPDATE fire_task AS t
         SET state = 'left_out',
             reason = CASE WHEN wanted THEN 'too_many' WHEN failed = 0 THEN 'no_failures' ELSE 'below_min_failed' END
        FROM ranked
       WHERE t.fire_id = ${fireId}::uuid AND t.task_id = ranked.task_id AND t.state = 'waiting' AND (NOT wanted OR nth > ${most}::int)`;
  }

  /** The scan tasks that are not read any more. */
  async leaveOutRest(tx: Tx, fireId: string, reason: TaskLeftOut): Promise<void> {
    await tx.$executeRaw`
      UPDATE fire_task SET state = 'left_out', reason = ${reason} WHERE fire_id = ${fireId}::uuid AND state = 'waiting'`;
  }

  /** The place of the next scan task to be read; null after the last. */
  async nextTask(tx: Tx, fireId: string): Promise<number | null> {
    const [next] = await tx.$queryRaw<{ place: number }[]>`
      SELECT place FROM fire_task WHERE fire_id = ${fireId}::uuid AND state = 'waiting' ORDER BY place LIMIT 1`;
    return next?.place ?? null;
  }

  async keepClusters(tx: Tx, fireId: string, taskId: string, rows: readonly FoundCluster[]): Promise<void> {
    if (rows.length === 0) return;
    await tx.$executeRaw`
      INSERT INTO fire_cluster (fire_id, task_id, cluster_id, reason, reasons)
      SELECT ${fireId}::uuid, ${taskId}, row.id, CASE WHEN row.other THEN 'other_scan_types' END, row.reasons::jsonb
        FROM unnest(${rows.map(({ clusterId }) => clusterId)}::text[],
                    ${rows.map(({ otherScanTypes }) => otherScanTypes)}::boolean[],
                    ${rows.map(({ reasons }) => JSON.stringify(reasons))}::text[]) AS row (id, other, reasons)
       ORDER BY row.id
      ON CONFLICT (fire_id, task_id, cluster_id) DO NOTHING`;
  }

  /** Its failed clusters seen so far, those of other scan types among them. */
  async countClusters(tx: Tx, fireId: string, taskId: string): Promise<{ seen: number; other: number }> {
    const [row] = await tx.$queryRaw<{ seen: number; other: number }[]>`
      SELECT count(*)::int AS seen, count(reason)::int AS other FROM fire_cluster
       WHERE fire_id = ${fireId}::uuid AND task_id = ${taskId}`;
    return row ?? { seen: 0, other: 0 };
  }

  /**
   * The clusters of a scan task that may be taken, with what is known of each. A try is a call with it that reached HSS, and had or may
   * have had an effect; an open target of any scan task will be one.
   */
  async candidates(tx: Tx, fire: OpenFire, taskId: string, now: Date): Promise<Candidate[]> {
    const { id, projectId } = fire;
    return tx.$queryRaw`
      WITH task AS MATERIALIZED (
        SELECT id FROM scan_task WHERE project_id = ${projectId} AND task_id = ${taskId}),
      whole AS MATERIALIZED (
        SELECT EXISTS (SELECT 1 FROM live_cluster WHERE project_id = ${projectId} AND task_id = ${taskId} AND cluster_id = '')
               OR EXISTS (SELECT 1 FROM target WHERE cluster_id IS NULL AND scan_task_id IN (SELECT id FROM task) AND state <> 'done')
               AS live)
      SELECT found.cluster_id AS "clusterId",
             whole.live OR coalesce(own.open, false)
               OR EXISTS (SELECT 1 FROM live_cluster AS l
                           WHERE l.project_id = ${projectId} AND l.task_id = ${taskId} AND l.cluster_id = found.cluster_id) AS live,
             coalesce(own.tries, 0)::int AS tries, own.last_tried_at AS "lastTriedAt"
        FROM fire_cluster AS found CROSS JOIN whole
       CROSS JOIN LATERAL (
             SELECT bool_or(t.state <> 'done' AND t.scan_task_id IN (SELECT id FROM task)) AS open,
                    sum(greatest(tried.today, (t.state <> 'done')::int)) AS tries,
                    max(CASE WHEN t.state = 'done' THEN tried.last ELSE ${now}::timestamptz END) AS last_tried_at
               FROM any_target AS t
              -- By its id: as a join the planner would rather read all scan tasks of the project, for each cluster.
              CROSS JOIN LATERAL (SELECT project_id FROM scan_task WHERE id = t.scan_task_id OFFSET 0) AS s
              CROSS JOIN LATERAL (
                    SELECT count(*) FILTER (WHERE c.started_at > ${now}::timestamptz - interval '24 hours') AS today,
                           max(c.started_at) AS last
                      FROM unnest(t.call_ids) AS sent (call_id) JOIN call AS c ON c.id = sent.call_id
                     WHERE c.state NOT IN ('not_sent', 'throttled', 'blocked', 'not_carried_out')) AS tried
              WHERE t.cluster_id = found.cluster_id AND s.project_id = ${projectId}) AS own
       WHERE found.fire_id = ${id}::uuid AND found.task_id = ${taskId} AND found.reason IS NULL
       ORDER BY found.cluster_id`;
  }

  /** Once; false where somebody else has. */
  async endTask(tx: Tx, fireId: string, taskId: string, end: TaskEnd): Promise<boolean> {
    const ended = await tx.$executeRaw`
      UPDATE fire_task
         SET state = ${end.reason === null ? 'submitted' : 'left_out'}::fire_task_state, reason = ${end.reason},
             request_id = ${end.requestId}::uuid, failed = coalesce(${end.failed}::int, failed), clusters_seen = ${end.clustersSeen}::int, clusters_taken = ${end.clustersTaken}::int
       WHERE fire_id = ${fireId}::uuid AND task_id = ${taskId} AND state = 'waiting'`;
    return ended === 1;
  }

  async leaveOutClusters(tx: Tx, fireId: string, taskId: string, { leftOut }: Choice): Promise<void> {
    if (leftOut.length === 0) return;
    await tx.$executeRaw`
      UPDATE fire_cluster AS c SET reason = row.reason
        FROM unnest(${leftOut.map(({ clusterId }) => clusterId)}::text[], ${leftOut.map(({ reason }) => reason)}::text[])
             AS row (id, reason)
       WHERE c.fire_id = ${fireId}::uuid AND c.task_id = ${taskId} AND c.cluster_id = row.id`;
  }
}
