import { Injectable } from '@nestjs/common';
import type { KnownScan } from '../domain/fate.js';
import { priorityRank } from '../domain/priority.js';
import type { TargetResult } from '../domain/target.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Move } from './counts.js';

/** What a page shows of a scan whose end is awaited. */
export interface ShownScan {
  readonly clusterId: string;
  /** By the scan types wanted, 0 to 7; null as long as it is not over, or the page does not say. */
  readonly ends: readonly ('success' | 'failed' | 'gone' | null)[];
  /** Of the scan; null where none was shown. */
  readonly times: KnownScan | null;
}

/** How long a scan's end is awaited. */
export interface Awaiting {
  readonly now: Date;
  /** Then it is sent all the same: nobody may have been able to see the end. */
  readonly atMostMs: number;
  /** So much time is left for its call before its request expires; without it a target does not wait. */
  readonly spareMs: number;
}

/** Targets that one transaction moves; the others go as they are. */
const MAX_MOVED = 20_000;

/** Targets whose clusters were scanning already when they were listed: they wait for that scan's end. The scan task is locked. */
@Injectable()
export class AwaitedScanLedger {
  /** By a complete listing, which speaks only for requests that are older than it; but for what is urgent, or has no time for it. */
  async await(tx: Tx, scanTaskId: bigint, beganAt: Date, { now, atMostMs, spareMs }: Awaiting): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string }[]>`
      WITH listed AS MATERIALIZED (
        SELECT cluster_id FROM listed_cluster WHERE scan_task_id = ${scanTaskId} AND scan_status = 'scanning'),
      ${candidates(Prisma.sql`listed`, scanTaskId)},
      scanning AS MATERIALIZED (
        SELECT t.id,
               least(${now}::timestamptz + ${atMostMs}::float8 * interval '1 ms',
                     r.expires_at - ${spareMs}::float8 * interval '1 ms') AS until
          FROM target AS t JOIN request AS r ON r.id = t.request_id
         WHERE t.id = ANY (ARRAY(SELECT id FROM candidate))
           AND t.state::text = 'waiting' AND t.due_at < 'infinity' AND t.scan_seen_at IS NULL
           AND r.created_at <= ${beganAt}::timestamptz
           AND t.priority > ${priorityRank('urgent')}
           AND r.expires_at > ${now}::timestamptz + ${spareMs}::float8 * interval '1 ms'
         ORDER BY t.id LIMIT ${MAX_MOVED} FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t SET scan_seen_at = ${now}::timestamptz, due_at = greatest(t.due_at, scanning.until)
          FROM scanning WHERE t.id = scanning.id RETURNING t.request_id)
      SELECT DISTINCT request_id AS "requestId" FROM moved`;
    return rows.map((row) => ({ ...row, from: 'waiting', to: 'waiting', n: 0 }));
  }

  /** Those of these clusters whose scans are awaited. */
  async awaited(tx: Tx, scanTaskId: bigint, clusterIds: readonly string[]): Promise<Set<string>> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      WITH page AS MATERIALIZED (SELECT * FROM unnest(${[...clusterIds]}::text[]) AS page (cluster_id)),
      ${candidates(Prisma.sql`page`, scanTaskId)}
      SELECT DISTINCT t.cluster_id AS id FROM target AS t
       WHERE t.id = ANY (ARRAY(SELECT id FROM candidate)) AND t.state::text = 'waiting' AND t.scan_seen_at IS NOT NULL`;
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Ends targets whose cluster is healthy, or gone, after the scan; where it has failed they are due now. Where a call has the cluster by
   * now, they wait for that call instead, as all others do.
   * @returns none for those that go on waiting for the scan
   */
  async see(
    tx: Tx,
    {
      scanTaskId,
      projectId,
      taskId,
    }: { readonly scanTaskId: bigint; readonly projectId: string; readonly taskId: string },
    shown: readonly ShownScan[],
    now: Date,
  ): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; to: TargetResult | 'waiting'; n: number }[]>`
      WITH shown AS MATERIALIZED (
        SELECT "clusterId" AS cluster_id, ends, (times ->> 'startTime')::timestamptz AS start_time,
               (times ->> 'endTime')::timestamptz AS end_time
          FROM jsonb_to_recordset(${JSON.stringify(shown)}::jsonb) AS s ("clusterId" text, ends text[], times jsonb)),
      ${candidates(Prisma.sql`shown`, scanTaskId)},
      mine AS MATERIALIZED (
        SELECT t.id, t.cluster_id,
               CASE WHEN EXISTS (SELECT 1 FROM live_cluster AS l
                                  WHERE l.project_id = ${projectId} AND l.task_id = ${taskId} AND l.cluster_id = t.cluster_id)
                    THEN 'parked' ELSE coalesce(shown.ends[t.scan_types + 1], 'scans') END AS fate
          FROM target AS t JOIN shown ON shown.cluster_id = t.cluster_id
         WHERE t.id = ANY (ARRAY(SELECT id FROM candidate)) AND t.state::text = 'waiting' AND t.scan_seen_at IS NOT NULL
         ORDER BY t.id FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t
           SET state = CASE WHEN fate IN ('success', 'gone') THEN 'done' ELSE 'waiting' END::target_state,
               scan_seen_at = CASE WHEN fate = 'scans' THEN ${now}::timestamptz END,
               due_at = CASE fate WHEN 'parked' THEN 'infinity' WHEN 'failed' THEN ${now}::timestamptz ELSE t.due_at END,
               result = CASE fate WHEN 'success' THEN 'not_failed' WHEN 'gone' THEN 'not_found' END::target_result,
               reason_code = CASE fate WHEN 'success' THEN 'scanned_already' WHEN 'gone' THEN 'not_listed' END,
               reason_text = CASE fate WHEN 'success' THEN 'HSS listed the cluster as scanning already, and then as scanned with success.'
                                       WHEN 'gone' THEN 'HSS listed the cluster as scanning already, and does not list it any more.' END
          FROM mine WHERE t.id = mine.id RETURNING t.request_id, fate),
      -- This failure may have ended within the margin of clocks before the call that is due now, and is none of its scans.
      known AS (
        INSERT INTO cluster_scan (project_id, task_id, cluster_id, start_time, end_time)
        SELECT ${projectId}, ${taskId}, cluster_id, start_time, end_time FROM shown
         WHERE cluster_id IN (SELECT cluster_id FROM mine WHERE fate = 'failed') ORDER BY cluster_id
        ON CONFLICT (project_id, task_id, cluster_id) DO UPDATE SET start_time = excluded.start_time, end_time = excluded.end_time)
      SELECT request_id AS "requestId", CASE fate WHEN 'success' THEN 'not_failed' WHEN 'gone' THEN 'not_found' ELSE 'waiting' END AS "to",
             count(*)::int AS n
        FROM moved WHERE fate <> 'scans' GROUP BY 1, 2`;
    return rows.map((row) => ({ ...row, from: 'waiting' }));
  }
}

/**
 * Targets of clusters, whatever became of them. Neither their state nor their due time: these would let the planner read all that waits
 * for the task instead. What reads them says `state::text`, which no index of waiting targets fits, and finds each by its id.
 */
const candidates = (clusters: Prisma.Sql, scanTaskId: bigint): Prisma.Sql => Prisma.sql`
      candidate AS MATERIALIZED (
        SELECT t.id FROM ${clusters} AS wanted CROSS JOIN LATERAL (
               SELECT id FROM target WHERE cluster_id = wanted.cluster_id AND scan_task_id = ${scanTaskId} OFFSET 0) AS t)`;

/** Of a target `t`: it waits for the end of a scan that was there before its call. */
export const AWAITS_SCAN = Prisma.sql`(t.state = 'waiting' AND t.scan_seen_at IS NOT NULL)`;
