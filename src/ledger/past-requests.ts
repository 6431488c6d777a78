import { Injectable } from '@nestjs/common';
import { PrismaService } from '../platform/prisma/prisma.service.js';

/** What one statement moves: so many requests at most, and one at least, however many targets it has. */
const REQUESTS = 100;
const TARGETS = 2_000;

/** Requests that ended long ago, with all that is theirs, on their way to the tables that are kept by months. */
@Injectable()
export class PastRequestLedger {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Moves some of those that ended longer ago than this, in one statement: who reads `any_request` and `any_target` finds each of
   * them once, at any moment. One waits where its caller has not been told, or one of its calls is still watched for others.
   * @returns how many were moved
   */
  async move(afterMs: number): Promise<number> {
    return this.prisma.$executeRaw`
      WITH ended AS MATERIALIZED (
        SELECT r.id, r.total FROM request AS r
         WHERE r.finished_at <= (SELECT rescan_now()) - ${afterMs}::float8 * interval '1 ms'
           AND r.state <> 'open' AND r.waiting + r.sending + r.unknown + r.accepted = 0
           AND NOT EXISTS (SELECT 1 FROM callback WHERE request_id = r.id AND state = 'pending' OFFSET 0)
           AND NOT EXISTS (
               SELECT 1 FROM call_request AS cr
                CROSS JOIN LATERAL (SELECT finished_at, verdict_due_at FROM call WHERE id = cr.call_id OFFSET 0) AS c
                WHERE cr.request_id = r.id AND (c.finished_at IS NULL OR c.verdict_due_at IS NOT NULL) OFFSET 0)
         ORDER BY r.finished_at LIMIT ${REQUESTS}::int FOR UPDATE OF r SKIP LOCKED),
      past AS MATERIALIZED (
        SELECT id FROM (SELECT id, sum(total) OVER (ORDER BY id) - total AS before FROM ended) AS counted WHERE before < ${TARGETS}::int),
      targets AS (DELETE FROM target WHERE request_id = ANY(ARRAY(SELECT id FROM past)) RETURNING *),
      items AS (
        -- As they are when they go: a text may just have been redacted.
        DELETE FROM scan_item WHERE target_id = ANY(ARRAY(SELECT id FROM targets))
        RETURNING target_id, round, scan_type, scan_item_shown(scan_item) AS shown),
      said AS (SELECT target_id, jsonb_agg(shown ORDER BY round, scan_type) AS scan_items FROM items GROUP BY target_id),
      kept AS (
        INSERT INTO past_target
        SELECT said.scan_items, targets.* FROM targets LEFT JOIN said ON said.target_id = targets.id ORDER BY request_id, id),
      requests AS (DELETE FROM request WHERE id = ANY(ARRAY(SELECT id FROM past)) RETURNING *)
      INSERT INTO past_request SELECT * FROM requests ORDER BY id`;
  }
}
