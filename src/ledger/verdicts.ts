import { Injectable } from '@nestjs/common';
import type { TargetResult } from '../domain/target.js';
import type { KnownScan } from '../domain/fate.js';
import type { CallEffect, FailedReasons } from '../domain/verdict.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Move } from './counts.js';
import { IS_WATCHED, type DueWatch } from './watches.js';

/** A cluster of a page that an accepted call waits for. */
export interface WatchedCluster {
  readonly clusterId: string;
  readonly callId: string;
  readonly startedAt: Date;
  readonly acceptedAt: Date;
  readonly effect: CallEffect;
  /** Upstream's clock minus the database's, for the call's credential. */
  readonly clockOffsetMs: number;
  /** Scan types wanted by its targets in the call, each once. */
  readonly scanTypes: readonly number[];
  readonly round: number;
  /** The times of the scan that the last verdict was read of; null where there was none. */
  readonly known: { readonly startTime: string | null; readonly endTime: string | null } | null;
  /** What was last read to have failed before the call: reasons by scan type; null where nobody had read it. */
  readonly before: FailedReasons | null;
}

/** What became of a cluster. */
export interface Told {
  readonly clusterId: string;
  readonly callId: string;
  /** By the scan types wanted, 0 to 7; null where there is no verdict yet. */
  readonly results: readonly (TargetResult | null)[];
  /** Each of its targets in the call has a verdict: others may have it. */
  readonly frees: boolean;
  /** Why, by the scan types wanted; null where nothing is to be said. */
  readonly texts: readonly (string | null)[];
  /** Its times, and what failed of it, by scan type; null where the cluster is gone. */
  readonly scan: (KnownScan & { readonly reasons: FailedReasons }) | null;
  readonly items: readonly { readonly type: string; readonly status: string | null; readonly reason: string | null }[];
}

/** What lists tell of clusters in accepted calls. The scan task is locked. */
@Injectable()
export class VerdictLedger {
  async watched(
    tx: Tx,
    { scanTaskId, projectId, taskId }: DueWatch,
    clusterIds: readonly string[],
  ): Promise<WatchedCluster[]> {
    return tx.$queryRaw`
      SELECT t.cluster_id AS "clusterId", call.id AS "callId", call.started_at AS "startedAt", call.finished_at AS "acceptedAt",
             call.effect::text AS effect, cs.clock_offset_ms AS "clockOffsetMs",
             array_agg(DISTINCT t.scan_types::int) AS "scanTypes", max(t.round)::int AS round,
             (SELECT jsonb_build_object('startTime', start_time, 'endTime', end_time) FROM cluster_scan
               WHERE project_id = ${projectId} AND task_id = ${taskId} AND cluster_id = t.cluster_id) AS known,
             (SELECT nullif(reading.reasons, '{}') FROM (
                     SELECT reasons, read_at AS at FROM cluster_scan
                      WHERE project_id = ${projectId} AND task_id = ${taskId} AND cluster_id = t.cluster_id
                     UNION ALL
                     SELECT listed.reasons, l.began_at FROM listing AS l JOIN listed_cluster AS listed USING (scan_task_id)
                      WHERE l.scan_task_id = ${scanTaskId} AND listed.cluster_id = t.cluster_id
                     UNION ALL
                     -- What a fire has read is requested at once.
                     SELECT found.reasons, r.created_at FROM request AS r
                       JOIN fire_cluster AS found ON found.fire_id = (r.labels ->> 'fire')::uuid AND found.task_id = ${taskId}
                                                 AND found.cluster_id = t.cluster_id
                      WHERE r.id = ANY (array_agg(t.request_id)) AND r.source = 'schedule') AS reading
               -- What was read after the call is not what had failed before it.
               WHERE reading.reasons IS NOT NULL AND reading.at <= call.started_at
               ORDER BY reading.at DESC LIMIT 1) AS before
        FROM unnest(${[...clusterIds]}::text[]) AS page (id)
       CROSS JOIN LATERAL (
             -- Each by its cluster: without statistics the planner would rather read all targets of the task.
             SELECT * FROM target WHERE cluster_id = page.id AND scan_task_id = ${scanTaskId} OFFSET 0) AS t
        JOIN call ON call.id = t.call_id AND ${IS_WATCHED}
        JOIN credential_state AS cs ON cs.credential = call.credential
       WHERE t.state = 'in_call'
       GROUP BY t.cluster_id, call.id, cs.clock_offset_ms`;
  }

  /** A pass has shown those of its calls, or asked for them in vain. Those of another view of the task are judged by its own passes. */
  async markSeen(
    tx: Tx,
    { scanTaskId, projectId, taskId }: DueWatch,
    { clusterIds, scanning }: { readonly clusterIds: readonly string[]; readonly scanning: readonly string[] },
    now: Date,
  ): Promise<void> {
    await tx.$executeRaw`
      UPDATE live_cluster SET seen_at = ${now}::timestamptz, scanning = cluster_id = ANY(${[...scanning]}::text[])
       WHERE project_id = ${projectId} AND task_id = ${taskId} AND cluster_id = ANY(${[...clusterIds]}::text[])
         -- As text, it is found by its cluster: a call may hold 10,000, and the page speaks of 200.
         AND call_id::text = ANY (ARRAY(SELECT id::text FROM call WHERE scan_task_id = ${scanTaskId} AND verdict_due_at IS NOT NULL))`;
  }

  /**
   * Ends targets whose cluster has a verdict, or opens another round for them, and frees the clusters: targets parked on them share the
   * verdict where their scan types were sent, and are due otherwise.
   */
  async end(
    tx: Tx,
    { projectId, taskId }: DueWatch,
    told: readonly Told[],
    now: Date,
    pauseMs: number,
  ): Promise<Move[]> {
    return tx.$queryRaw<Move[]>`
      WITH told AS MATERIALIZED (
        SELECT "clusterId" AS cluster_id, "callId" AS call_id, results, frees, texts, items
          FROM jsonb_to_recordset(${JSON.stringify(told)}::jsonb)
               AS t ("clusterId" text, "callId" uuid, results text[], frees boolean, texts text[], items jsonb)),
      freed AS MATERIALIZED (
        DELETE FROM live_cluster
         WHERE project_id = ${projectId} AND task_id = ${taskId}
           AND cluster_id = ANY (ARRAY(SELECT cluster_id FROM told WHERE frees))
           AND (cluster_id, call_id) IN (SELECT cluster_id, call_id FROM told)
        RETURNING cluster_id),
      candidate AS MATERIALIZED (
        SELECT t.id FROM told
         CROSS JOIN (SELECT id FROM scan_task WHERE project_id = ${projectId} AND task_id = ${taskId}) AS s
         CROSS JOIN LATERAL (
               -- Neither its state nor its due time: they would let the planner read all that waits for the task instead.
               SELECT id FROM target WHERE cluster_id = told.cluster_id AND scan_task_id = s.id OFFSET 0) AS t),
      sent AS MATERIALIZED (
        SELECT t.cluster_id, min(coalesce(part.mask, 0)) AS mask
          FROM call
         CROSS JOIN unnest(call.target_ids, call.scan_masks) AS part (id, mask)
          -- A call may have 10,000 targets, and the page speaks of 200.
          JOIN candidate ON candidate.id = part.id
          JOIN target AS t ON t.id = part.id
         WHERE call.id = ANY (ARRAY(SELECT DISTINCT call_id FROM told))
           AND t.cluster_id IN (SELECT cluster_id FROM freed) GROUP BY t.cluster_id),
      mine AS MATERIALIZED (
        SELECT t.id, t.request_id, t.round, t.state::text AS was, told.call_id AS told_by, told.texts[t.scan_types + 1] AS text, told.items,
               CASE WHEN t.state::text = 'in_call' OR sent.mask = 0 OR (t.scan_types <> 0 AND t.scan_types & ~sent.mask = 0)
                    THEN told.results[t.scan_types + 1] END AS result,
               t.round < r.max_rounds AND r.expires_at > ${now}::timestamptz + ${pauseMs}::float8 * interval '1 ms' AS may_go_on
          FROM target AS t
          JOIN told ON told.cluster_id = t.cluster_id
          JOIN request AS r ON r.id = t.request_id
          LEFT JOIN sent ON sent.cluster_id = t.cluster_id
         WHERE t.id = ANY (ARRAY(SELECT id FROM candidate))
           AND ((t.state::text = 'in_call' AND t.call_id = told.call_id AND told.results[t.scan_types + 1] IS NOT NULL)
                OR (t.state::text = 'waiting' AND t.due_at = 'infinity' AND t.cluster_id IN (SELECT cluster_id FROM freed)))
         ORDER BY t.id FOR UPDATE OF t),
      ${takeEffect(now, pauseMs)}
      SELECT request_id AS "requestId", CASE was WHEN 'in_call' THEN 'accepted' ELSE 'waiting' END AS "from", came AS "to",
             count(*)::int AS n
        FROM moved GROUP BY request_id, was, came`;
  }

  /** Whatever shows the same times later is not a later scan; and what failed of this one is what the next call retries. */
  async remember(tx: Tx, { projectId, taskId }: DueWatch, told: readonly Told[], now: Date): Promise<void> {
    const rows = told.flatMap(({ clusterId, frees, scan }) => (frees && scan ? [{ clusterId, ...scan }] : []));
    await tx.$executeRaw`
      INSERT INTO cluster_scan (project_id, task_id, cluster_id, start_time, end_time, read_at, reasons)
      SELECT ${projectId}, ${taskId}, row.id, row.start_time, row.end_time, ${now}::timestamptz, row.reasons::jsonb
        FROM unnest(${rows.map(({ clusterId }) => clusterId)}::text[], ${rows.map(({ startTime }) => startTime)}::timestamptz[],
                    ${rows.map(({ endTime }) => endTime)}::timestamptz[], ${rows.map(({ reasons }) => JSON.stringify(reasons))}::text[])
             AS row (id, start_time, end_time, reasons)
       ORDER BY row.id
      ON CONFLICT (project_id, task_id, cluster_id) DO UPDATE
         SET start_time = excluded.start_time, end_time = excluded.end_time, read_at = excluded.read_at, reasons = excluded.reasons`;
  }

  /** What a page has shown of calls; times after the sending go before times as they were. */
  async showEffects(tx: Tx, effects: ReadonlyMap<string, 'seen' | 'renewed'>): Promise<void> {
    const calls = [...effects].sort(([a], [b]) => (a < b ? -1 : 1));
    if (calls.length === 0) return;
    await tx.$executeRaw`
      UPDATE call SET effect = told.effect::call_effect
        FROM unnest(${calls.map(([id]) => id)}::uuid[], ${calls.map(([, effect]) => effect)}::text[]) AS told (id, effect)
       WHERE call.id = told.id AND call.effect <> 'renewed' AND (call.effect = 'none' OR told.effect = 'renewed')`;
  }

  /** The task was seen running after they were accepted: something of them was carried out. */
  async showRunning(tx: Tx, scanTaskIds: readonly bigint[], beganAt: Date): Promise<void> {
    await tx.$executeRaw`
      WITH locked AS MATERIALIZED (
        SELECT id FROM call
         WHERE scan_task_id = ANY(${[...scanTaskIds]}::bigint[]) AND ${IS_WATCHED} AND effect = 'none'
           AND finished_at < ${beganAt}::timestamptz
         ORDER BY id FOR UPDATE)
      UPDATE call SET effect = 'seen' FROM locked WHERE call.id = locked.id`;
  }

  /**
   * A whole pass that began after the grace, with the task at rest, has shown no time after their sending and nothing that scans: the
   * upstream leaves times as they were.
   */
  async keepTimes(tx: Tx, { scanTaskId, beganAt }: DueWatch, graceMs: number): Promise<void> {
    await tx.$executeRaw`
      UPDATE call SET effect = 'kept'
       WHERE scan_task_id = ${scanTaskId} AND ${IS_WATCHED} AND effect = 'seen'
         AND cluster_count > 0 AND finished_at + ${graceMs}::float8 * interval '1 ms' <= ${beganAt}::timestamptz
         AND NOT EXISTS (SELECT 1 FROM live_cluster AS l
                          WHERE l.call_id = call.id AND (l.scanning OR coalesce(l.seen_at, '-infinity') < ${beganAt}::timestamptz))`;
  }

  /** Ends the watch over calls that no target is in any more. */
  async leave(tx: Tx, callIds: readonly string[]): Promise<void> {
    await tx.$executeRaw`
      UPDATE call SET verdict_due_at = NULL
       WHERE id = ANY(${[...callIds].sort()}::uuid[]) AND ${IS_WATCHED}
         AND NOT EXISTS (SELECT 1 FROM unnest(call.target_ids) AS part (id) JOIN target AS t ON t.id = part.id
                          WHERE t.call_id = call.id AND t.state = 'in_call')`;
  }

  /** How long scans of a project take, from the sending of their call: a moving average. */
  async learnDuration(tx: Tx, projectId: string, ms: number): Promise<void> {
    await tx.$executeRaw`
      UPDATE project SET scan_ms = round(coalesce(scan_ms * 0.8 + ${ms}::float8 * 0.2, ${ms}::float8)) WHERE id = ${projectId}`;
  }
}

/** An end, another round after the pause, or due at once: each target by its own, and what was said of its scan items. */
const takeEffect = (now: Date, pauseMs: number): Prisma.Sql => Prisma.sql`
      fate AS MATERIALIZED (
        SELECT *, unredacted(text) AS said, CASE WHEN result IS NULL THEN 'due' WHEN result = 'scan_failed' AND may_go_on THEN 'round' ELSE 'end' END AS fate
          FROM mine),
      moved AS (
        UPDATE target AS t
           SET state = CASE WHEN fate = 'end' THEN 'done' ELSE 'waiting' END::target_state, call_id = NULL,
               due_at = ${now}::timestamptz + CASE WHEN fate = 'round' THEN ${pauseMs}::float8 ELSE 0 END * interval '1 ms',
               round = t.round + (fate = 'round')::int,
               split_parent = CASE WHEN fate = 'round' THEN NULL ELSE t.split_parent END,
               split_half = CASE WHEN fate = 'round' THEN NULL ELSE t.split_half END,
               result = CASE WHEN fate = 'end' THEN fate.result END::target_result,
               reason_code = CASE WHEN fate = 'end' THEN CASE fate.result WHEN 'succeeded' THEN 'scanned' WHEN 'not_found' THEN 'not_listed'
                                                                           ELSE fate.result END END,
               reason_text = CASE WHEN fate = 'end' THEN fate.said END
          FROM fate WHERE t.id = fate.id
        RETURNING t.request_id, fate.was, coalesce(t.result::text, 'waiting') AS came),
      items AS (
        INSERT INTO scan_item (target_id, round, call_id, scan_type, status, reason)
        SELECT fate.id, fate.round, fate.told_by, item.type, item.status,
               CASE WHEN fate.said IS DISTINCT FROM fate.text THEN fate.said ELSE unredacted(item.reason) END
          FROM fate CROSS JOIN jsonb_to_recordset(fate.items) AS item (type text, status text, reason text)
         WHERE fate.result IS NOT NULL ORDER BY fate.id, item.type
        ON CONFLICT DO NOTHING)`;
