import { Injectable } from '@nestjs/common';
import { MAX_LISTED, type ListingWish } from '../domain/listing.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** Why and how long a listing is wanted. */
export interface Wanting {
  readonly now: Date;
  /** When it may begin, if not now. */
  readonly dueAt?: Date;
  /** How long the last one counts. */
  readonly keepMs: number;
  /** How long large requests wait for its counts. */
  readonly holdMs: number;
  /** Whatever the last one said. */
  readonly anew: boolean;
}

/** Who wants a listing of a scan task, how long is waited for it, and how long it holds. */
@Injectable()
export class ListingWishes {
  /**
   * Wants a listing where the last one is older than it may be, or where by now so much waits that it is worth one; `anew` in any
   * case. One that is being read goes on. Meanwhile large requests for the task wait, up to the end of the hold; but not where the one
   * just before told nothing.
   * @returns whether it was begun, and is waited for
   */
  async want(tx: Tx, scanTaskId: bigint, { now, dueAt = now, keepMs, holdMs, anew }: Wanting): Promise<boolean> {
    const holdUntil = new Date(now.getTime() + holdMs);
    const oldest = new Date(now.getTime() - keepMs);
    // A hold of another day was for other requests, though no call came of it.
    const isHeldStill = Prisma.sql`listing.held_since > ${now}::timestamptz - interval '1 day'`;
    const wasInVain = Prisma.sql`
      listing.step = 'given_up' AND listing.worth_from IS NULL
      AND listing.wanted_at > ${oldest}::timestamptz - ${keepMs}::float8 * interval '1 ms'`;
    const [row] = await tx.$queryRaw<{ held: boolean }[]>`
      INSERT INTO listing (scan_task_id, project_id, wanted_at, due_at, held_since, hold_until)
      SELECT id, project_id, ${now}::timestamptz, ${dueAt}::timestamptz, ${now}::timestamptz, ${holdUntil}::timestamptz
        FROM scan_task
       WHERE id = ${scanTaskId}
         -- Whoever ends a page has its row locked for long: nobody waits for it to learn that one is being read.
         AND NOT EXISTS (SELECT 1 FROM listing WHERE scan_task_id = ${scanTaskId} AND due_at > ${oldest}::timestamptz)
      ON CONFLICT (scan_task_id) DO UPDATE
         SET step = 'counts', wanted_at = excluded.wanted_at, due_at = excluded.due_at,
             held_since = CASE WHEN ${isHeldStill} THEN listing.held_since ELSE excluded.held_since END,
             hold_until = least(excluded.hold_until, CASE WHEN ${wasInVain} THEN excluded.wanted_at END,
                                CASE WHEN ${isHeldStill} THEN listing.held_since + ${keepMs}::float8 * interval '1 ms' END),
             restarts = 0, failures = 0, "offset" = 0, exact = false, worth_from = NULL
       -- One that is long overdue is read by nobody: its credential may be gone.
       WHERE coalesce(listing.due_at, '-infinity') <= ${oldest}::timestamptz
         AND (${anew} OR greatest(listing.wanted_at, listing.completed_at) <= ${oldest}::timestamptz
              OR (listing.step = 'given_up'
                  AND listing.worth_from <= (SELECT count(*) FROM (
                      SELECT 1 FROM target WHERE scan_task_id = ${scanTaskId} AND state = 'waiting' LIMIT ${MAX_LISTED}) AS t)))
      RETURNING hold_until > ${now}::timestamptz AS held`;
    return row?.held ?? false;
  }

  /** Who waits for it now. */
  async wish(tx: Tx, scanTaskId: bigint): Promise<ListingWish> {
    const [wish] = await tx.$queryRaw<ListingWish[]>`
      SELECT EXISTS (SELECT 1 FROM target WHERE cluster_id IS NULL AND scan_task_id = ${scanTaskId} AND state = 'waiting') AS "wholeTask",
             EXISTS (SELECT 1 FROM target JOIN call ON call.id = target.call_id
                      WHERE cluster_id IS NULL AND target.scan_task_id = ${scanTaskId} AND target.state = 'in_call'
                        AND call.state = 'accepted') AS accepted,
             (SELECT count(*)::int FROM (SELECT 1 FROM target WHERE scan_task_id = ${scanTaskId} AND state = 'waiting'
                                          LIMIT ${MAX_LISTED + 1}) AS t) AS waiting`;
    if (!wish) throw new Error('a row without a table');
    return wish;
  }

  /** A call for the task has left: whoever waits for a listing from now on waits anew. */
  async endHold(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET held_since = NULL, hold_until = NULL WHERE scan_task_id = ${scanTaskId} AND held_since IS NOT NULL`;
  }

  /** A call had, or may have had, an effect, and is over now: what was listed before it is not what has failed now. */
  async spoil(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET exact = false, idle = false
       WHERE idle AND scan_task_id IN (SELECT other.id FROM scan_task AS own JOIN scan_task AS other USING (project_id, task_id)
                                         WHERE own.id = ${scanTaskId})`;
  }
}
