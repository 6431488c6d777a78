import { Injectable } from '@nestjs/common';
import type { EventRow } from '../domain/sealed-event.js';
import { Prisma } from '../generated/prisma/client.js';
import { EVENT_COLUMNS } from '../platform/prisma/event-columns.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** How far the events are sealed: every one before (tx, eventId), but for what a walk has still to look at. */
export interface SealProgress {
  readonly tx: string;
  readonly eventId: string;
  /** The last event, by id, that the walk has looked at; null: no walk is under way. */
  readonly walkId: string | null;
}

export interface UnsealedEvent extends EventRow {
  /** Another walk came here first. */
  readonly isSealed: boolean;
}

export interface ChainEnd {
  readonly projectId: string;
  readonly seq: number;
  /** In hex, as everywhere here. */
  readonly hash: string;
}

export interface Seal extends ChainEnd {
  readonly eventId: string;
}

const NO_ID = '00000000-0000-0000-0000-000000000000';

/** No transaction that could still write an event has a lower number, and all of those below have ended. */
const HORIZON = Prisma.sql`(SELECT pg_snapshot_xmin(pg_current_snapshot()))`;

/** Numbers from here on were given to nobody by this server. */
const AHEAD = Prisma.sql`(SELECT pg_snapshot_xmax(pg_current_snapshot()))`;

const SERVER = Prisma.sql`(SELECT system_identifier::text FROM pg_control_system())`;

/** Of `data` in a batch, as it is stored: the end of 100,000 targets is one event. */
const SEAL_BYTES = 1024 * 1024;

export interface SealBatch {
  readonly events: readonly UnsealedEvent[];
  /** Whether it ended because it was full, and not because there was no more. */
  readonly isFull: boolean;
}

type BatchRow = UnsealedEvent & { readonly found: number };

function toBatch(rows: readonly BatchRow[], limit: number): SealBatch {
  const found = rows[0]?.found ?? 0;
  // What is no column of an event is none of its hash's.
  return { events: rows.map(({ found: _, ...event }) => event), isFull: found === limit || rows.length < found };
}

/** As many events of some, in their order, as fit into a batch; the first in any case. */
const batchOf = (events: Prisma.Sql, order: Prisma.Sql): Prisma.Sql => Prisma.sql`
  SELECT ${EVENT_COLUMNS}, EXISTS (SELECT 1 FROM event_seal AS s WHERE s.event_id = e.id) AS "isSealed", e.found
    FROM (SELECT event.*, (count(*) OVER ())::int AS found, sum(pg_column_size(data)) OVER (ORDER BY ${order}) - pg_column_size(data) AS before
            FROM (${events}) AS event) AS e
   WHERE e.before < ${SEAL_BYTES}::int`;

/** The chains over the events: see docs/proof.md. */
@Injectable()
export class SealLedger {
  /**
   * Takes the sealing for this transaction. Where the numbers of transactions are those of another server (the database was restored
   * from a dump), they say nothing of what is sealed: all events are looked at again, once, in the order of their ids.
   * @returns null where somebody else seals just now
   */
  async take(tx: Tx): Promise<SealProgress | null> {
    const [held] = await tx.$queryRaw<(SealProgress & { isForeign: boolean })[]>`
      SELECT tx::text AS tx, event_id AS "eventId", walk_id AS "walkId", (server <> ${SERVER} OR tx > ${AHEAD}) AS "isForeign"
        FROM seal_progress FOR UPDATE SKIP LOCKED`;
    if (!held?.isForeign) return held ?? null;
    const [restarted] = await tx.$queryRaw<SealProgress[]>`
      UPDATE seal_progress SET tx = ${HORIZON}, event_id = ${NO_ID}::uuid, server = ${SERVER}, walk_id = ${NO_ID}::uuid
      RETURNING tx::text AS tx, event_id AS "eventId", walk_id AS "walkId"`;
    return restarted ?? null;
  }

  /** The next events below the horizon, by (tx, id): nothing can come before them any more. */
  async next(tx: Tx, after: SealProgress, limit: number): Promise<SealBatch> {
    const events = Prisma.sql`
      SELECT * FROM event WHERE (tx, id) > (${after.tx}::xid8, ${after.eventId}::uuid) AND tx < ${HORIZON}
       ORDER BY tx, id LIMIT ${limit}::int`;
    const rows = await tx.$queryRaw<BatchRow[]>`${batchOf(events, Prisma.sql`tx, id`)} ORDER BY e.tx, e.id`;
    return toBatch(rows, limit);
  }

  /** The next events of the walk, by id; `isSealed` also where it is too early: those `next` will come to. */
  async walk(tx: Tx, afterId: string, limit: number): Promise<SealBatch> {
    const events = Prisma.sql`SELECT * FROM event WHERE id > ${afterId}::uuid ORDER BY id LIMIT ${limit}::int`;
    const rows = await tx.$queryRaw<BatchRow[]>`
      SELECT part.*, part."isSealed" OR (part.tx::xid8 >= ${HORIZON} AND part.tx::xid8 < ${AHEAD}) AS "isSealed"
        FROM (${batchOf(events, Prisma.sql`id`)}) AS part ORDER BY part.id`;
    return toBatch(rows, limit);
  }

  async chainEnds(tx: Tx, projectIds: readonly string[]): Promise<ChainEnd[]> {
    const rows = await tx.$queryRaw<{ projectId: string; seq: bigint; hash: string }[]>`
      SELECT project_id AS "projectId", seq, encode(hash, 'hex') AS hash FROM seal_chain
       WHERE project_id = ANY(${[...projectIds]}::text[])`;
    return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
  }

  /** Needs `take` in the same transaction. */
  async append(tx: Tx, seals: readonly Seal[], ends: readonly ChainEnd[]): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO event_seal (project_id, seq, event_id, hash)
      SELECT seal.project_id, seal.seq, seal.event_id, decode(seal.hash, 'hex')
        FROM unnest(${seals.map(({ projectId }) => projectId)}::text[], ${seals.map(({ seq }) => seq)}::bigint[],
                    ${seals.map(({ eventId }) => eventId)}::uuid[], ${seals.map(({ hash }) => hash)}::text[])
             AS seal (project_id, seq, event_id, hash)`;
    await tx.$executeRaw`
      INSERT INTO seal_chain (project_id, seq, hash)
      SELECT chain_end.project_id, chain_end.seq, decode(chain_end.hash, 'hex')
        FROM unnest(${ends.map(({ projectId }) => projectId)}::text[], ${ends.map(({ seq }) => seq)}::bigint[],
                    ${ends.map(({ hash }) => hash)}::text[]) AS chain_end (project_id, seq, hash)
       ORDER BY chain_end.project_id
      ON CONFLICT (project_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`;
  }

  async advance(tx: Tx, { tx: at, eventId, walkId }: SealProgress): Promise<void> {
    await tx.$executeRaw`
      UPDATE seal_progress SET tx = ${at}::xid8, event_id = ${eventId}::uuid, walk_id = ${walkId}::uuid`;
  }
}
