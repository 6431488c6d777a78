import { Injectable } from '@nestjs/common';
import { LARGE_ABOVE } from '../domain/listing.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ChosenTask } from './choosing.js';
import { claim, FillingLedger, toFilled, type Filled, type PassRow } from './filling.js';

/** As many as one call for a whole task takes. */
const WHOLE_TARGETS = 20_000;

/** One call for all that has failed of a scan task. The scan task is locked. */
@Injectable()
export class WholeSetLedger {
  constructor(private readonly filling: FillingLedger) {}

  /**
   * Takes all failed clusters of a task that is listed exactly, where all of them are wanted with all their failed items, and no call
   * for it is live: one call for the whole task then scans nothing that nobody asked for.
   * @returns none where it is not so
   */
  async take(tx: Tx, task: ChosenTask, callId: string, now: Date): Promise<Filled[]> {
    const [row] = await tx.$queryRaw<PassRow[]>`
      WITH failed AS MATERIALIZED (
        SELECT cluster_id, failed_types FROM listed_cluster JOIN listing USING (scan_task_id)
         WHERE scan_task_id = ${task.scanTaskId} AND exact AND scan_status = 'failed'),
      wanted AS MATERIALIZED (
        SELECT t.id, t.cluster_id, t.scan_types FROM target AS t JOIN request AS r ON r.id = t.request_id
         WHERE t.scan_task_id = ${task.scanTaskId} AND t.state = 'waiting' AND t.due_at <= ${now}::timestamptz
           AND t.cluster_id IS NOT NULL AND t.split_parent IS NULL AND r.expires_at > ${now}::timestamptz
         LIMIT ${WHOLE_TARGETS + 1}),
      candidate AS MATERIALIZED (
        SELECT cluster_id FROM failed JOIN wanted USING (cluster_id) GROUP BY cluster_id, failed_types
        HAVING bool_or(scan_types = 0) OR (failed_types <> 0 AND failed_types & ~bit_or(scan_types) = 0)),
      picked AS MATERIALIZED (
        SELECT cluster_id FROM candidate
         WHERE (SELECT count(*) FROM candidate) = (SELECT count(*) FROM failed)
           AND (SELECT count(*) FROM candidate) > ${LARGE_ABOVE}
           AND (SELECT count(*) FROM wanted) <= ${WHOLE_TARGETS}
           AND NOT EXISTS (SELECT 1 FROM live_cluster WHERE project_id = ${task.projectId} AND task_id = ${task.taskId})),
      held AS (
        INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
        SELECT ${task.projectId}, ${task.taskId}, cluster_id, ${callId}::uuid
          FROM (SELECT cluster_id FROM picked UNION SELECT '' FROM picked) AS held ORDER BY cluster_id
        ON CONFLICT DO NOTHING RETURNING cluster_id),
      meant AS MATERIALIZED (SELECT id FROM wanted WHERE cluster_id IN (SELECT cluster_id FROM picked)),
      locked AS MATERIALIZED (
        SELECT t.id FROM target AS t
         WHERE t.id = ANY (ARRAY(SELECT id FROM meant)) AND t.cluster_id IN (SELECT cluster_id FROM held)
           -- As text, no index of waiting targets fits, and each is found by its id.
           AND t.state::text = 'waiting'
         ORDER BY t.id FOR UPDATE OF t),
      -- Who was cancelled while its lock was waited for is not asked for any more, and so the set is not exact.
      due AS MATERIALIZED (
        SELECT id, true AS taken FROM locked WHERE (SELECT count(*) FROM locked) = (SELECT count(*) FROM meant))
      ${claim(callId)}`;
    const filled = (row?.filled ?? []).map(toFilled);
    if (filled.length === 0 && row && row.clusters > 0) await this.filling.letGo(tx, callId);
    return filled;
  }
}
