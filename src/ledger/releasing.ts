import { Injectable } from '@nestjs/common';
import type { CountField, Reason, TargetResult } from '../domain/target.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Move } from './counts.js';

/** A result that says something of the cluster itself, and so of every target parked on it whose scan types were sent. */
export interface Inherited {
  readonly result: TargetResult;
  readonly reason: Reason;
}

/** Frees the clusters of a call. The scan task is locked (`awaitTask`), so that nobody parks a target on them meanwhile. */
@Injectable()
export class ReleasingLedger {
  /**
   * Deletes the call's live clusters, but for those of `keptTargets`. Targets that were parked on them get its result, where there
   * is one and their scan types were covered, and are due otherwise.
   */
  async release(
    tx: Tx,
    callId: string,
    now: Date,
    inherited: Inherited | null,
    keptTargets: readonly bigint[] = [],
  ): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; to: CountField; n: number }[]>`
      WITH freed AS MATERIALIZED (
        DELETE FROM live_cluster
         WHERE call_id = ${callId}::uuid
           AND cluster_id <> ALL (ARRAY(SELECT coalesce(cluster_id, '') FROM target
                                         WHERE id = ANY(${[...keptTargets]}::bigint[])))
        RETURNING project_id, task_id, cluster_id),
      sent AS MATERIALIZED (
        SELECT t.cluster_id, min(coalesce(part.mask, 0)) AS mask
          FROM call
         CROSS JOIN unnest(call.target_ids, call.scan_masks) AS part (id, mask)
          JOIN target AS t ON t.id = part.id
         WHERE call.id = ${callId}::uuid AND ${inherited !== null} GROUP BY t.cluster_id),
      waiting AS MATERIALIZED (
        SELECT t.id
          FROM freed JOIN scan_task AS s USING (project_id, task_id)
         CROSS JOIN LATERAL (
               -- Neither its state nor its due time: they would let the planner read all that waits for the task instead.
               SELECT id FROM target WHERE cluster_id = freed.cluster_id AND scan_task_id = s.id
               OFFSET 0) AS t),
      parked AS MATERIALIZED (
        SELECT t.id, sent.mask IS NOT NULL AND (sent.mask = 0 OR (t.scan_types <> 0 AND t.scan_types & ~sent.mask = 0)) AS ends
          FROM target AS t LEFT JOIN sent ON sent.cluster_id = t.cluster_id
         WHERE t.id = ANY (ARRAY(SELECT id FROM waiting))
           -- As text, no index of waiting targets fits, and each is found by its id.
           AND t.state::text = 'waiting' AND t.due_at = 'infinity'
         ORDER BY t.id FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t
           SET state = CASE WHEN parked.ends THEN 'done' ELSE 'waiting' END::target_state,
               due_at = ${now}::timestamptz,
               result = CASE WHEN parked.ends THEN ${inherited?.result ?? null}::target_result END,
               reason_code = CASE WHEN parked.ends THEN ${inherited?.reason.code ?? null}::text END,
               reason_text = CASE WHEN parked.ends THEN ${inherited?.reason.text ?? null}::text END
          FROM parked WHERE t.id = parked.id
        RETURNING t.request_id, coalesce(t.result::text, 'waiting') AS came)
      SELECT request_id AS "requestId", came AS "to", count(*)::int AS n FROM moved GROUP BY request_id, came`;
    return rows.map((row) => ({ ...row, from: 'waiting' }));
  }

  /** From now on a call for a whole task holds its clusters alone. */
  async openTask(tx: Tx, callId: string): Promise<void> {
    await tx.$executeRaw`DELETE FROM live_cluster WHERE call_id = ${callId}::uuid AND cluster_id = ''`;
  }

  /** Whole-task targets of a task wait for all of its clusters: each end of a call lets them look again. */
  async releaseWholeTask(tx: Tx, scanTaskId: bigint, now: Date): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; n: number }[]>`
      WITH parked AS MATERIALIZED (
        SELECT t.id
          FROM scan_task AS own
          JOIN scan_task AS s USING (project_id, task_id)
          JOIN target AS t ON t.cluster_id IS NULL AND t.scan_task_id = s.id
         WHERE own.id = ${scanTaskId} AND t.state::text = 'waiting' AND t.due_at = 'infinity'
         ORDER BY t.id FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t SET due_at = ${now}::timestamptz FROM parked WHERE t.id = parked.id RETURNING t.request_id)
      SELECT request_id AS "requestId", count(*)::int AS n FROM moved GROUP BY request_id`;
    return rows.map((row) => ({ ...row, from: 'waiting', to: 'waiting' }));
  }

  /** The requests that `parkRequests` took out of the search: counted again, they get their due time back. */
  async unparkRequests(tx: Tx, scanTaskId: bigint): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string }[]>`
      SELECT r.id AS "requestId"
        FROM scan_task AS own
        JOIN scan_task AS s USING (project_id, task_id)
        JOIN request AS r ON r.scan_task_id = s.id
       WHERE own.id = ${scanTaskId} AND r.waiting > 0 AND r.next_due_at = 'infinity'`;
    return rows.map((row) => ({ ...row, from: 'waiting', to: 'waiting', n: 0 }));
  }
}
