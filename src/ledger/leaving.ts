import { Injectable } from '@nestjs/common';
import type { CountField, Reason, TargetResult } from '../domain/target.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Move } from './counts.js';

/** What targets that leave a call have in common. */
export interface WaitAgain {
  /** Where they are counted now: their call's state. */
  readonly from: 'sending' | 'unknown' | 'accepted';
  readonly dueAt: Date;
  readonly costsAttempt: boolean;
  readonly maxAttempts: number;
  /** The last answer, for those that end because their attempts are used up. */
  readonly lastAnswer: string | null;
  /** Parts of a split: the targets of each. Empty: they keep the part that they had. */
  readonly parts: readonly (readonly bigint[])[];
}

interface Left {
  requestId: string;
  to: CountField;
  n: number;
}

/** Everything that takes targets out of a call. Each statement locks its targets by id before it changes them. */
@Injectable()
export class LeavingLedger {
  /** Their number for each request, where they stay and only their call's state has changed. */
  async stay(tx: Tx, callId: string, targetIds: readonly bigint[], from: CountField, to: CountField): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; n: number }[]>`
      SELECT request_id AS "requestId", count(*)::int AS n FROM target
       WHERE id = ANY(${[...targetIds]}::bigint[]) AND call_id = ${callId}::uuid GROUP BY request_id`;
    return rows.map((row) => ({ ...row, from, to }));
  }

  /** Back to waiting; or to their end, where their request was cancelled, their time is over or their attempts are used up. */
  async waitAgain(tx: Tx, callId: string, targetIds: readonly bigint[], now: Date, wait: WaitAgain): Promise<Move[]> {
    const parts = wait.parts.flatMap((ids, part) => ids.map((id) => ({ id, part })));
    const cost = wait.costsAttempt ? 1 : 0;
    const rows = await tx.$queryRaw<Left[]>`
      WITH mine AS MATERIALIZED (
        SELECT t.id, part.part,
               CASE WHEN r.cancel_requested_at IS NULL AND r.expires_at <= ${now}::timestamptz
                    THEN CASE WHEN r.deadline <= r.expires_at THEN 'deadline' ELSE 'max_age' END END AS reason,
               CASE WHEN r.cancel_requested_at IS NOT NULL THEN 'cancelled'
                    WHEN r.expires_at <= ${now}::timestamptz THEN 'expired'
                    WHEN t.attempts + ${cost}::int >= ${wait.maxAttempts}::int THEN 'exhausted' END::target_result AS result
          FROM target AS t JOIN request AS r ON r.id = t.request_id
          LEFT JOIN unnest(${parts.map(({ id }) => id)}::bigint[], ${parts.map(({ part }) => part)}::smallint[])
                    AS part (id, part) ON part.id = t.id
         WHERE t.id = ANY(${[...targetIds]}::bigint[]) AND t.call_id = ${callId}::uuid
         ORDER BY t.id FOR UPDATE OF t),
      moved AS (
        UPDATE target AS t
           SET state = CASE WHEN mine.result IS NULL THEN 'waiting' ELSE 'done' END::target_state,
               result = mine.result, call_id = NULL, attempts = t.attempts + ${cost}::smallint,
               due_at = ${wait.dueAt}::timestamptz,
               split_parent = CASE WHEN mine.part IS NULL THEN t.split_parent ELSE ${callId}::uuid END,
               split_half = coalesce(mine.part, t.split_half),
               reason_code = coalesce(mine.reason, mine.result::text),
               reason_text = CASE WHEN mine.result = 'exhausted' THEN 'The last answer: ' || ${wait.lastAnswer}::text END
          FROM mine WHERE t.id = mine.id
        RETURNING t.request_id, coalesce(mine.result::text, 'waiting') AS came)
      SELECT request_id AS "requestId", came AS "to", count(*)::int AS n FROM moved GROUP BY request_id, came`;
    return rows.map((row) => ({ ...row, from: wait.from }));
  }

  /** To one result, all of them. */
  async end(
    tx: Tx,
    callId: string,
    targetIds: readonly bigint[],
    from: CountField,
    result: TargetResult,
    reason: Reason,
  ): Promise<Move[]> {
    const rows = await tx.$queryRaw<{ requestId: string; n: number }[]>`
      WITH mine AS MATERIALIZED (
        SELECT id FROM target WHERE id = ANY(${[...targetIds]}::bigint[]) AND call_id = ${callId}::uuid
         ORDER BY id FOR UPDATE),
      moved AS (
        UPDATE target AS t
           SET state = 'done', result = ${result}::target_result, call_id = NULL, reason_code = ${reason.code},
               reason_text = ${reason.text}
          FROM mine WHERE t.id = mine.id RETURNING t.request_id)
      SELECT request_id AS "requestId", count(*)::int AS n FROM moved GROUP BY request_id`;
    return rows.map((row) => ({ ...row, from, to: result }));
  }
}
