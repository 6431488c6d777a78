import { eventFields, type EventRow } from '../domain/sealed-event.js';
import type { SealHead } from '../domain/seal-head.js';
import { Prisma } from '../generated/prisma/client.js';
import { EVENT_COLUMNS } from '../platform/prisma/event-columns.js';
import type { PrismaService } from '../platform/prisma/prisma.service.js';
import type { Anchor, ChainBase, FoundLink } from './chain-check.js';

const PAGE = 1_000;
/** Of `data` in a page, as it is stored: the end of 100,000 targets is one event. */
const PAGE_BYTES = 4 * 1024 * 1024;
const LOOKED_AT = 10_000;
/** Of a bigint. */
const LEAST = -(2n ** 63n);

type StoredLink = FoundLink & { readonly head: SealHead | undefined };

type HeadRow = Omit<SealHead, 'seq' | 'at'> & { seq: bigint; at: Date };

type LinkRow = Pick<FoundLink, 'eventId' | 'hash'> & { seq: bigint } & (EventRow | { [K in keyof EventRow]: null });

export interface StoredChain {
  readonly projectId: string;
  readonly anchors: readonly Anchor[];
  /** Where its archives end. */
  readonly base: ChainBase | null;
}

/** Reads chains and events of a database, a page at a time, with nothing but plain selects: what runs in it may be tampered with as well. */
export class SealedRows {
  constructor(private readonly prisma: PrismaService) {}

  /** Every project that has a chain, or had one, with what else in the database says how it ended. */
  async *chains(): AsyncGenerator<StoredChain> {
    for (let after: string | null = null; ;) {
      const beyond: Prisma.Sql = after === null ? Prisma.sql`true` : Prisma.sql`project_id > ${after}`;
      const [row]: { projectId: string | null }[] = await this.prisma.$queryRaw`
        SELECT least((SELECT min(project_id) FROM event_seal WHERE ${beyond}),
                     (SELECT min(project_id) FROM seal_chain WHERE ${beyond}),
                     (SELECT min(project_id) FROM seal_head WHERE ${beyond})) AS "projectId"`;
      const projectId = row?.projectId ?? null;
      if (projectId === null) return;
      after = projectId;
      yield { projectId, anchors: await this.endsOf(projectId), base: await this.baseOf(projectId) };
    }
  }

  private async endsOf(projectId: string): Promise<Anchor[]> {
    const rows = await this.prisma.$queryRaw<(Omit<Anchor, 'seq'> & { seq: bigint })[]>`
      SELECT seq, encode(hash, 'hex') AS hash, 'the end that the database has recorded' AS from FROM seal_chain
       WHERE project_id = ${projectId}
       UNION ALL
      (SELECT seq, encode(hash, 'hex'), 'the last head in the database' FROM seal_head
        WHERE project_id = ${projectId} ORDER BY seq DESC LIMIT 1)`;
    return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
  }

  private async baseOf(projectId: string): Promise<ChainBase | null> {
    // One by one the index of kinds takes both, and not as IS NOT DISTINCT FROM.
    const isOfChain = projectId === '' ? Prisma.sql`project_id IS NULL` : Prisma.sql`project_id = ${projectId}`;
    const [row] = await this.prisma.$queryRaw<{ seq: bigint; hash: string; file: string | null }[]>`
      SELECT base_seq AS seq, encode(base_hash, 'hex') AS hash,
             (SELECT data->>'file' FROM event
               WHERE kind = 'chain.archived' AND ${isOfChain}
                 AND data->>'seq' = c.base_seq::text AND data->>'hash' = encode(c.base_hash, 'hex') LIMIT 1) AS file
        FROM seal_chain AS c WHERE project_id = ${projectId} AND base_seq > 0`;
    return row ? { ...row, seq: Number(row.seq) } : null;
  }

  /** The last head of a chain after one seq and up to another. */
  async lastHead(projectId: string, after: number, upTo: number): Promise<SealHead | null> {
    const [row] = await this.prisma.$queryRaw<HeadRow[]>`
      SELECT ${HEAD_COLUMNS} FROM seal_head WHERE project_id = ${projectId} AND seq > ${after}::bigint AND seq <= ${upTo}::bigint
       ORDER BY seq DESC LIMIT 1`;
    return row ? toHead(row) : null;
  }

  /** In the order of seq, with the heads that the database itself keeps. Without `afterSeq` also what stands where nothing may stand. */
  async *links(projectId: string, afterSeq: number | bigint = LEAST): AsyncGenerator<StoredLink> {
    let after = { seq: BigInt(afterSeq), eventId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };
    for (;;) {
      const rows = await this.prisma.$queryRaw<LinkRow[]>`
        SELECT e.seq, e.event_id AS "eventId", encode(e.seal, 'hex') AS hash, ${EVENT_COLUMNS}
          FROM (SELECT event.*, s.seq, s.event_id, s.hash AS seal,
                       sum(coalesce(pg_column_size(data), 0)) OVER (ORDER BY s.seq, s.event_id) - coalesce(pg_column_size(data), 0) AS before
                  FROM (SELECT * FROM event_seal
                         WHERE project_id = ${projectId} AND (seq, event_id) > (${after.seq}::bigint, ${after.eventId}::uuid)
                         ORDER BY seq, event_id LIMIT ${PAGE}::int) AS s
                  LEFT JOIN event ON event.id = s.event_id) AS e
         WHERE e.before < ${PAGE_BYTES}::int ORDER BY e.seq, e.event_id`;
      const last = rows.at(-1);
      if (!last) return;
      const heads = await this.headsOf(projectId, after.seq, last.seq);
      for (const row of rows) {
        const link = toLink(projectId, row);
        yield { ...link, head: heads.get(link.seq) };
      }
      after = last;
    }
  }

  /** Of the links after one seq up to another: no more than there are links. */
  private async headsOf(projectId: string, after: bigint, upTo: bigint): Promise<Map<number, SealHead>> {
    const rows = await this.prisma.$queryRaw<HeadRow[]>`
      SELECT ${HEAD_COLUMNS} FROM seal_head WHERE project_id = ${projectId} AND seq > ${after}::bigint AND seq <= ${upTo}::bigint
       ORDER BY seq LIMIT ${PAGE}::int`;
    return new Map(rows.map((row) => [Number(row.seq), toHead(row)]));
  }

  /** The first event, in the order of sealing, that should be sealed by now and is not. */
  async unsealed(): Promise<{ id: string; projectId: string } | null> {
    let after = { tx: '0', id: '00000000-0000-0000-0000-000000000000' };
    for (;;) {
      const rows = await this.prisma.$queryRaw<{ tx: string; id: string; projectId: string; isSealed: boolean }[]>`
        SELECT e.tx::text AS tx, e.id, coalesce(e.project_id, '') AS "projectId",
               EXISTS (SELECT 1 FROM event_seal AS s WHERE s.event_id = e.id) AS "isSealed"
          FROM event AS e
         WHERE (e.tx, e.id) > (${after.tx}::xid8, ${after.id}::uuid)
           AND (e.tx, e.id) <= ((SELECT tx FROM seal_progress), (SELECT event_id FROM seal_progress))
           AND (SELECT walk_id FROM seal_progress) IS NULL
         ORDER BY e.tx, e.id LIMIT ${LOOKED_AT}::int`;
      const open = rows.find(({ isSealed }) => !isSealed);
      if (open) return { id: open.id, projectId: open.projectId };
      const last = rows.at(-1);
      if (rows.length < LOOKED_AT || !last) return null;
      after = last;
    }
  }
}

const HEAD_COLUMNS = Prisma.sql`
  project_id AS "projectId", seq, encode(hash, 'hex') AS hash, at, key_id AS "keyId",
  translate(encode(signature, 'base64'), E'\n', '') AS signature`;

const toHead = (row: HeadRow): SealHead => ({ ...row, seq: Number(row.seq), at: row.at.toISOString() });

function toLink(projectId: string, { seq, eventId, hash, ...row }: LinkRow): FoundLink {
  return { projectId, seq: Number(seq), eventId, hash, event: row.id === null ? null : eventFields(row) };
}
