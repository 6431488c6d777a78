import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { CallFacts } from './calls.js';
import type { Move } from './counts.js';

/** Puts targets back into a call that was carried out after all. */
@Injectable()
export class TakingBackLedger {
  /**
   * Those that still wait because of this call, as long as no other call has their cluster; with their attempt given back. The scan
   * task is locked. The target of a whole task may have become many since: they have the call from it.
   */
  async takeBack(
    tx: Tx,
    { id: callId, rangeType, scanTaskId, targetIds }: CallFacts,
  ): Promise<{ moves: Move[]; targetIds: bigint[] }> {
    const isWhole = rangeType === 'all_failed_cluster';
    const rows = await tx.$queryRaw<{ requestId: string; ids: bigint[] }[]>`
      WITH mine AS MATERIALIZED (
        SELECT t.id, s.project_id, s.task_id, coalesce(t.cluster_id, '') AS cluster_id
          FROM target AS t JOIN scan_task AS s ON s.id = t.scan_task_id
         WHERE ${isWhole ? Prisma.sql`t.scan_task_id = ${scanTaskId} AND t.state = 'waiting'` : Prisma.sql`t.id = ANY(${[...targetIds]}::bigint[]) AND t.state::text = 'waiting'`}
           AND t.call_ids[array_upper(t.call_ids, 1)] = ${callId}::uuid
           -- One that waits for another round has had its verdict from this call.
           AND NOT EXISTS (SELECT 1 FROM scan_item WHERE target_id = t.id AND scan_item.call_id = ${callId}::uuid)
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
           SET state = 'in_call', call_id = ${callId}::uuid, attempts = greatest(0, t.attempts - 1), scan_seen_at = NULL
          FROM mine WHERE t.id = mine.id AND mine.cluster_id IN (SELECT cluster_id FROM held)
        RETURNING t.request_id, t.id)
      SELECT request_id AS "requestId", array_agg(id ORDER BY id) AS ids FROM moved GROUP BY request_id`;
    return {
      moves: rows.map(({ requestId, ids }) => ({ requestId, from: 'waiting', to: 'accepted', n: ids.length })),
      targetIds: rows.flatMap(({ ids }) => ids),
    };
  }
}
