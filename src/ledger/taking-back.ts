import { Injectable } from '@nestjs/common';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Move } from './counts.js';

/** Puts targets back into a call that was carried out after all. */
@Injectable()
export class TakingBackLedger {
  /**
   * Those that still wait because of this call, as long as no other call has their cluster; with their attempt given back. The scan
   * task is locked.
   */
  async takeBack(tx: Tx, callId: string, targetIds: readonly bigint[]): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; n: number }[]>`
      WITH mine AS MATERIALIZED (
        SELECT t.id, s.project_id, s.task_id, coalesce(t.cluster_id, '') AS cluster_id
          FROM target AS t JOIN scan_task AS s ON s.id = t.scan_task_id
         WHERE t.id = ANY(${[...targetIds]}::bigint[]) AND t.state::text = 'waiting'
           AND t.call_ids[array_upper(t.call_ids, 1)] = ${callId}::uuid
           AND NOT EXISTS (SELECT 1 FROM live_cluster AS l
                            WHERE l.project_id = s.project_id AND l.task_id = s.task_id
                              AND (l.cluster_id = '' OR t.cluster_id IS NULL))
         ORDER BY t.id FOR UPDATE OF t),
      -- After the targets, against the order of locks: a cluster is held only for a target that is surely still there, and
      -- whoever else wants clusters of the task waits for the task.
      held AS (
        INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
        SELECT DISTINCT project_id, task_id, cluster_id, ${callId}::uuid FROM mine ORDER BY cluster_id
        ON CONFLICT DO NOTHING RETURNING cluster_id),
      moved AS (
        UPDATE target AS t
           SET state = 'in_call', call_id = ${callId}::uuid, attempts = greatest(0, t.attempts - 1)
          FROM mine WHERE t.id = mine.id AND mine.cluster_id IN (SELECT cluster_id FROM held)
        RETURNING t.request_id)
      SELECT request_id AS "requestId", count(*)::int AS n FROM moved GROUP BY request_id`;
    return rows.map((row) => ({ ...row, from: 'waiting', to: 'accepted' }));
  }
}
