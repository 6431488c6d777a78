import { Injectable } from '@nestjs/common';
import type { TargetResult } from '../domain/target.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { lockRequests, type Move } from './counts.js';

interface Resolved {
  requestId: string;
  /** Clusters found for one target. */
  found: number;
  targets: number;
}

/** Targets that one transaction makes or moves; what is left is done by the next listing, or goes as it is. */
const MAX_MOVED = 20_000;

/** What a complete listing means for targets that wait. The scan task is locked. It speaks only for requests that are older than it. */
@Injectable()
export class ListedLedger {
  /**
   * Replaces a waiting target for the whole task by one for each cluster that has failed; where none has, it ends. The first cluster
   * takes the target's own row.
   */
  async resolveWaiting(tx: Tx, scanTaskId: bigint, beganAt: Date, now: Date): Promise<Move[]> {
    const rows = await tx.$queryRaw<Resolved[]>`
      WITH bound AS MATERIALIZED (
        SELECT ${MAX_MOVED}::int / greatest(1, count(*) FILTER (WHERE scan_status = 'failed')) AS n
          FROM listed_cluster WHERE scan_task_id = ${scanTaskId}),
      whole AS MATERIALIZED (
        SELECT t.* FROM target AS t JOIN request AS r ON r.id = t.request_id
         WHERE t.cluster_id IS NULL AND t.scan_task_id = ${scanTaskId} AND t.state::text = 'waiting'
           -- To an exact one nothing can have been added meanwhile.
           AND (r.created_at <= ${beganAt}::timestamptz
                OR (SELECT exact FROM listing WHERE scan_task_id = ${scanTaskId}))
         ORDER BY t.id LIMIT (SELECT n FROM bound) FOR UPDATE OF t),
      failed AS MATERIALIZED (
        SELECT cluster_id, row_number() OVER (ORDER BY cluster_id) AS place FROM listed_cluster
         WHERE scan_task_id = ${scanTaskId} AND scan_status = 'failed'),
      first AS (
        UPDATE target AS t
           SET cluster_id = failed.cluster_id, due_at = CASE WHEN t.due_at = 'infinity' THEN ${now}::timestamptz ELSE t.due_at END
          FROM whole, failed WHERE t.id = whole.id AND failed.place = 1),
      others AS (
        INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, due_at, attempts, round, call_ids)
        SELECT whole.request_id, whole.scan_task_id, whole.priority, failed.cluster_id, whole.scan_types,
               CASE WHEN whole.due_at = 'infinity' THEN ${now}::timestamptz ELSE whole.due_at END, whole.attempts, whole.round,
               whole.call_ids
          FROM whole CROSS JOIN failed WHERE failed.place > 1 ORDER BY whole.id, failed.place),
      ended AS (
        UPDATE target AS t SET state = 'done', result = 'not_failed', reason_code = 'not_listed_as_failed',
               reason_text = 'HSS listed no failed cluster of the scan task.'
          FROM whole WHERE t.id = whole.id AND NOT EXISTS (SELECT 1 FROM failed))
      SELECT request_id AS "requestId", (SELECT count(*)::int FROM failed) AS found, count(*)::int AS targets
        FROM whole GROUP BY request_id`;
    await this.addTargets(tx, rows, 'waiting');
    return rows.map(({ requestId, found, targets }) => ({
      requestId,
      from: 'waiting',
      to: found === 0 ? 'not_failed' : 'waiting',
      n: found === 0 ? targets : 0,
    }));
  }

  /** Calls for whole tasks that were accepted by a moment, and whose clusters are not known yet. */
  async unresolvedCalls(tx: Tx, scanTaskId: bigint, acceptedBy: Date): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      SELECT DISTINCT call.id FROM target JOIN call ON call.id = target.call_id
       WHERE target.cluster_id IS NULL AND target.scan_task_id = ${scanTaskId} AND target.state = 'in_call'
         AND call.state = 'accepted' AND call.finished_at <= ${acceptedBy}::timestamptz`;
    return rows.map(({ id }) => id);
  }

  /**
   * Replaces the targets of an accepted call for a whole task by one for each cluster that it may have been carried out for: all but
   * those that were healthy before it was sent.
   * @param sentAt in the upstream's clock
   * @returns how many clusters these are; nothing is changed where there are none
   */
  async resolveAccepted(tx: Tx, callId: string, scanTaskId: bigint, sentAt: Date): Promise<number> {
    const rows = await tx.$queryRaw<Resolved[]>`
      WITH whole AS MATERIALIZED (
        SELECT * FROM target WHERE cluster_id IS NULL AND scan_task_id = ${scanTaskId} AND call_id = ${callId}::uuid
         ORDER BY id FOR UPDATE),
      meant AS MATERIALIZED (
        SELECT cluster_id, row_number() OVER (ORDER BY cluster_id) AS place FROM listed_cluster
         WHERE scan_task_id = ${scanTaskId}
           AND (scan_status IS DISTINCT FROM 'success' OR greatest(start_time, end_time) >= ${sentAt}::timestamptz)),
      first AS (
        UPDATE target AS t SET cluster_id = meant.cluster_id FROM whole, meant WHERE t.id = whole.id AND meant.place = 1
        RETURNING t.id, t.cluster_id),
      others AS (
        INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, attempts, round, call_id, call_ids)
        SELECT whole.request_id, whole.scan_task_id, whole.priority, meant.cluster_id, whole.scan_types, 'in_call', whole.due_at,
               whole.attempts, whole.round, whole.call_id, whole.call_ids
          FROM whole CROSS JOIN meant WHERE meant.place > 1 ORDER BY whole.id, meant.place
        RETURNING id, cluster_id),
      known AS (
        UPDATE call SET cluster_count = (SELECT count(*) FROM meant),
               target_ids = (SELECT array_agg(id ORDER BY cluster_id, id) FROM (SELECT * FROM first UNION ALL SELECT * FROM others) AS t)
         WHERE id = ${callId}::uuid AND EXISTS (SELECT 1 FROM meant)),
      held AS (
        INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
        SELECT s.project_id, s.task_id, meant.cluster_id, ${callId}::uuid
          FROM scan_task AS s CROSS JOIN meant WHERE s.id = ${scanTaskId} ORDER BY meant.cluster_id
        ON CONFLICT DO NOTHING)
      SELECT request_id AS "requestId", (SELECT count(*)::int FROM meant) AS found, count(*)::int AS targets
        FROM whole GROUP BY request_id`;
    const found = rows[0]?.found ?? 0;
    if (found > 0) await this.addTargets(tx, rows, 'accepted');
    return found;
  }

  /** Targets whose clusters need no retry, by a listing of all clusters: they are healthy, or gone. */
  async endNeedless(tx: Tx, scanTaskId: bigint, beganAt: Date): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; to: TargetResult; n: number }[]>`
      WITH needless AS MATERIALIZED (
        SELECT t.id, listed.cluster_id IS NOT NULL AS healthy
          FROM target AS t JOIN request AS r ON r.id = t.request_id
          LEFT JOIN listed_cluster AS listed
                 ON listed.scan_task_id = t.scan_task_id AND listed.cluster_id = t.cluster_id
         WHERE t.scan_task_id = ${scanTaskId} AND t.state = 'waiting' AND t.due_at < 'infinity' AND t.cluster_id IS NOT NULL
           AND r.created_at <= ${beganAt}::timestamptz AND (listed.cluster_id IS NULL OR listed.scan_status = 'success')
         ORDER BY t.id LIMIT ${MAX_MOVED} FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t
           SET state = 'done', result = CASE WHEN healthy THEN 'not_failed' ELSE 'not_found' END::target_result,
               reason_code = CASE WHEN healthy THEN 'listed_as_success' ELSE 'not_listed' END,
               reason_text = CASE WHEN healthy THEN 'HSS listed the cluster as scanned with success.'
                                  ELSE 'HSS listed all clusters of the scan task, and this one was not among them.' END
          FROM needless WHERE t.id = needless.id RETURNING t.request_id, t.result)
      SELECT request_id AS "requestId", result::text AS "to", count(*)::int AS n FROM moved GROUP BY request_id, result`;
    return rows.map((row) => ({ ...row, from: 'waiting' }));
  }

  private async addTargets(tx: Tx, rows: readonly Resolved[], counted: 'waiting' | 'accepted'): Promise<void> {
    await lockRequests(
      tx,
      rows.map(({ requestId }) => requestId),
    );
    await tx.$executeRaw`
      UPDATE request AS r
         SET resolved = true, total = r.total + added.n, ${Prisma.raw(`${counted} = r.${counted}`)} + added.n
        FROM unnest(${rows.map(({ requestId }) => requestId)}::uuid[],
                    ${rows.map(({ found, targets }) => Math.max(0, found - 1) * targets)}::int[]) AS added (id, n)
       WHERE r.id = added.id`;
  }
}
