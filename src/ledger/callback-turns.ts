import { Injectable } from '@nestjs/common';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** A callback that is this process's to try until the lease ends; its try is written down. */
export interface TakenCallback {
  readonly requestId: string;
  readonly caller: string;
  readonly url: string;
  readonly origin: string;
  readonly number: number;
  readonly startedAt: Date;
}

/** Whose turn it is not: who has enough for now; and the caller that had the last turn, who is the last in line. */
export interface CallbackTurns {
  readonly fullCallers: readonly string[];
  readonly fullOrigins: readonly string[];
  readonly lastCaller: string | null;
}

/** Of one caller, by name: who has more of them with something pending waits with the rest until these are done. */
const MOST_ORIGINS = 1_000;

/** Which callback is tried next: callers take turns. */
@Injectable()
export class CallbackTurnLedger {
  /**
   * Of the next caller in turn that may have one, the callback that has waited longest, and its next try. Nobody else gets it
   * before this try's lease ends; a try before it that never came back is over by then.
   *
   * It steps from caller to caller, and from receiver to receiver: how much is pending for each does not matter. The first of
   * each receiver are compared without a lock, and then locked in that order, so that no other process finds them taken in vain.
   * Its origin as a range, and in the order: by an equation Postgres rather reads all that is due, of whomever, in order of time.
   */
  async takeDue(
    tx: Tx,
    { leaseMs, turns, worker }: { leaseMs: number; turns: CallbackTurns; worker: string },
  ): Promise<TakenCallback | null> {
    const [taken] = await tx.$queryRaw<TakenCallback[]>`
      WITH RECURSIVE clock AS MATERIALIZED (SELECT rescan_now() AS now),
      known AS (
        (SELECT caller FROM callback WHERE due_at IS NOT NULL ORDER BY caller LIMIT 1)
        UNION ALL
        SELECT (SELECT c.caller FROM callback AS c
                 WHERE c.due_at IS NOT NULL AND c.caller > known.caller ORDER BY c.caller LIMIT 1)
          FROM known WHERE known.caller IS NOT NULL),
      turn AS MATERIALIZED (
        SELECT caller FROM known WHERE caller IS NOT NULL AND caller <> ALL(${[...turns.fullCallers]}::text[])
         ORDER BY caller <= coalesce(${turns.lastCaller}::text, ''), caller),
      due AS (
        SELECT next.request_id FROM turn CROSS JOIN LATERAL (
          WITH RECURSIVE receiver AS (
            (SELECT c.origin, 1 AS n FROM callback AS c
              WHERE c.due_at IS NOT NULL AND c.caller = turn.caller ORDER BY c.origin LIMIT 1)
            UNION ALL
            SELECT (SELECT c.origin FROM callback AS c
                     WHERE c.due_at IS NOT NULL AND c.caller = turn.caller AND c.origin > r.origin
                     ORDER BY c.origin LIMIT 1), r.n + 1
              FROM receiver AS r WHERE r.origin IS NOT NULL AND r.n < ${MOST_ORIGINS}::int),
          head AS MATERIALIZED (
            SELECT r.origin FROM receiver AS r CROSS JOIN LATERAL (
              SELECT c.due_at FROM callback AS c
               WHERE c.caller = turn.caller AND c.origin BETWEEN r.origin AND r.origin AND c.due_at <= (SELECT now FROM clock)
               ORDER BY c.origin, c.due_at LIMIT 1) AS oldest
             WHERE r.origin <> ALL(${[...turns.fullOrigins]}::text[]) ORDER BY oldest.due_at)
          SELECT free.request_id FROM head CROSS JOIN LATERAL (
            SELECT c.request_id FROM callback AS c
             WHERE c.caller = turn.caller AND c.origin BETWEEN head.origin AND head.origin AND c.due_at <= (SELECT now FROM clock)
             ORDER BY c.origin, c.due_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS free
           LIMIT 1) AS next
         LIMIT 1),
      taken AS (
        UPDATE callback AS c SET due_at = now + ${leaseMs}::float8 * interval '1 ms', tries = c.tries + 1
          FROM due, clock WHERE c.request_id = due.request_id
        RETURNING c.request_id, c.caller, c.url, c.origin, c.tries, now),
      lost AS (
        UPDATE callback_try AS t SET finished_at = taken.now, error_code = 'interrupted'
          FROM taken WHERE t.request_id = taken.request_id AND t.finished_at IS NULL),
      tried AS (
        INSERT INTO callback_try (request_id, number, started_at, worker)
        SELECT request_id, tries, now, ${worker} FROM taken)
      SELECT request_id AS "requestId", caller, url, origin, tries AS number, now AS "startedAt" FROM taken`;
    return taken ?? null;
  }

  /** When the next one is due that is not due yet. */
  async nextDueAt(tx: Tx): Promise<{ now: Date; at: Date | null }> {
    const [next] = await tx.$queryRaw<{ now: Date; at: Date | null }[]>`
      WITH clock AS MATERIALIZED (SELECT rescan_now() AS now)
      SELECT now, (SELECT due_at FROM callback WHERE due_at > now ORDER BY due_at LIMIT 1) AS at FROM clock`;
    if (!next) throw new Error('a clock without a row');
    return next;
  }
}
