import { Injectable } from '@nestjs/common';
import type { SplitCandidate } from '../domain/split.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

@Injectable()
export class SuspectLedger {
  /** What earlier requests know of these clusters of a scan task; of most, nothing. */
  async known(tx: Tx, scanTaskId: bigint, clusterIds: readonly string[]): Promise<Map<string, SplitCandidate>> {
    const rows = await tx.$queryRaw<SplitCandidate[]>`
      SELECT cluster_id AS "clusterId", bool_or(result = 'rejected' AND reason_code <> 'split_budget') AS "rejectedBefore",
             bool_or(result IN ('succeeded', 'scan_failed') OR reason_code IN ('verdict_timeout', 'no_effect')) AS "acceptedBefore"
        FROM target
       WHERE cluster_id = ANY(${[...clusterIds]}::text[]) AND scan_task_id = ${scanTaskId} AND state = 'done'
       GROUP BY cluster_id`;
    return new Map(rows.map((row) => [row.clusterId, row]));
  }
}
