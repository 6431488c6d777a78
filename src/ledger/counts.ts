import { COUNT_FIELDS, type CountField } from '../domain/target.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** `n` targets of a request that went from one place in its counts to another; the same place twice only renews its due time. */
export interface Move {
  readonly requestId: string;
  readonly from: CountField;
  readonly to: CountField;
  readonly n: number;
}

/** The rows of requests are locked last of all, by id. Their counts are read in a later statement than this. */
export async function lockRequests(tx: Tx, requestIds: readonly string[]): Promise<void> {
  await tx.$queryRaw`SELECT 1 FROM request WHERE id = ANY(${[...requestIds]}::uuid[]) ORDER BY id FOR UPDATE`;
}

const column = (field: CountField): Prisma.Sql => Prisma.raw(field);
const list = (parts: (field: CountField) => Prisma.Sql): Prisma.Sql => Prisma.join(COUNT_FIELDS.map(parts), ', ');

const DELTAS = list(
  (field) => Prisma.sql`(coalesce(sum(n) FILTER (WHERE came = ${Prisma.raw(`'${field}'`)}), 0)
    - coalesce(sum(n) FILTER (WHERE went = ${Prisma.raw(`'${field}'`)}), 0))::int AS ${column(field)}`,
);
const ADDED = list((field) => Prisma.sql`${column(field)} = r.${column(field)} + d.${column(field)}`);
const after = (...fields: CountField[]): Prisma.Sql =>
  Prisma.raw(fields.map((field) => `r.${field} + d.${field}`).join(' + '));
const OPEN_AFTER = after('waiting', 'sending', 'unknown', 'accepted');
const UNSENT_AFTER = after('waiting', 'sending', 'unknown');

/**
 * The one place where counts, due time and end of requests change. Needs `lockRequests` in an earlier statement: the due
 * time is the earliest of the waiting targets as they are *after* the lock, and a stale one would let a target be forgotten.
 * What ends becomes due to be told to whoever wanted a callback: in this statement, or a death could come between the two.
 *
 * @returns the requests that ended by it
 */
export async function applyMoves(tx: Tx, each: readonly Move[]): Promise<string[]> {
  if (each.length === 0) return [];
  const moves = summed(each);
  const ended = await tx.$queryRaw<{ id: string }[]>`
    WITH delta AS (
      SELECT request_id, ${DELTAS}
        FROM unnest(${moves.map((move) => move.requestId)}::uuid[], ${moves.map((move) => move.from)}::text[],
                    ${moves.map((move) => move.to)}::text[], ${moves.map((move) => move.n)}::int[])
             AS move (request_id, went, came, n)
       GROUP BY request_id),
    counted AS (
      UPDATE request AS r
         SET ${ADDED},
             next_due_at = coalesce((SELECT t.due_at FROM target AS t WHERE t.request_id = r.id AND t.state = 'waiting'
                                      ORDER BY t.due_at LIMIT 1), 'infinity'),
             accepted_at = coalesce(r.accepted_at, CASE WHEN ${UNSENT_AFTER} = 0 THEN (SELECT rescan_now()) END),
             finished_at = CASE WHEN ${OPEN_AFTER} = 0 THEN (SELECT rescan_now()) END,
             state = CASE WHEN ${OPEN_AFTER} > 0 THEN r.state
                          WHEN r.cancel_requested_at IS NULL THEN 'finished' ELSE 'cancelled' END::request_state
        FROM delta AS d
       WHERE r.id = d.request_id
      RETURNING r.id, r.state),
    told AS (
      UPDATE callback SET state = 'pending', due_at = (SELECT rescan_now())
       WHERE request_id = ANY(ARRAY(SELECT id FROM counted WHERE state <> 'open')) AND state = 'waiting')
    SELECT id FROM counted WHERE state <> 'open'`;
  return ended.map(({ id }) => id);
}

/** One for each request and way: 200 targets are mostly of one request, and sent one by one they take longer than the update. */
function summed(moves: readonly Move[]): Move[] {
  const byWay = new Map<string, Move>();
  for (const move of moves) {
    const way = `${move.requestId} ${move.from} ${move.to}`;
    byWay.set(way, { ...move, n: move.n + (byWay.get(way)?.n ?? 0) });
  }
  return [...byWay.values()];
}
