import { Injectable } from '@nestjs/common';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** A scan item that was retried: why it had failed, in which round, and whether it helped. */
export interface RetriedItem {
  readonly scanType: string;
  /** Normalised. */
  readonly reason: string;
  readonly round: number;
  readonly succeeded: boolean;
}

/** A project has no more reasons than this; the upstream could invent them. */
const MAX_REASONS = 500;

/** How often retries help. */
@Injectable()
export class RetryOutcomeLedger {
  async count(tx: Tx, projectId: string, items: readonly RetriedItem[]): Promise<void> {
    if (items.length === 0) return;
    await tx.$executeRaw`
      WITH told AS (
        SELECT * FROM unnest(${items.map(({ scanType }) => scanType)}::text[], ${items.map(({ reason }) => reason)}::text[],
                             ${items.map(({ round }) => round)}::int[], ${items.map(({ succeeded }) => succeeded)}::boolean[])
                 AS t (scan_type, reason, round, succeeded)),
      room AS (SELECT count(*) < ${MAX_REASONS} AS is_left FROM retry_outcome WHERE project_id = ${projectId}),
      named AS (
        SELECT scan_type, round, succeeded,
               CASE WHEN room.is_left OR EXISTS (SELECT 1 FROM retry_outcome AS o
                                                  WHERE o.project_id = ${projectId} AND o.scan_type = told.scan_type
                                                    AND o.reason = told.reason AND o.round = told.round)
                    THEN reason ELSE 'other' END AS reason
          FROM told CROSS JOIN room)
      INSERT INTO retry_outcome AS o (project_id, scan_type, reason, round, tried, succeeded)
      SELECT ${projectId}, scan_type, reason, round, count(*), count(*) FILTER (WHERE succeeded)
        FROM named GROUP BY scan_type, reason, round ORDER BY scan_type, reason, round
      ON CONFLICT (project_id, scan_type, reason, round) DO UPDATE
         SET tried = o.tried + excluded.tried, succeeded = o.succeeded + excluded.succeeded`;
  }
}
