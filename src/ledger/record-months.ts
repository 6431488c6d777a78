import { boundsOf, type ArchivedChain, type RecordKind, type RecordMonth } from '../domain/record-month.js';
import { Prisma } from '../generated/prisma/client.js';
import type { PrismaService } from '../platform/prisma/prisma.service.js';
import { PARTITIONED } from './month-drops.js';

const PAGE = 1_000;

/** What is archived row by row, as JSON; with what names it in rows that are kept elsewhere, or go with it. */
const ROWS = {
  call: Prisma.sql`
    SELECT r.id, (to_jsonb(r) || jsonb_build_object('task_id', (SELECT task_id FROM scan_task AS s WHERE s.id = r.scan_task_id),
             'request_ids', (SELECT coalesce(jsonb_agg(request_id ORDER BY request_id), '[]') FROM call_request AS cr WHERE cr.call_id = r.id)))::text AS line
      FROM call AS r`,
  past_request: Prisma.sql`
    SELECT r.id, (to_jsonb(r) || jsonb_build_object('task_id', (SELECT task_id FROM scan_task AS s WHERE s.id = r.scan_task_id)))::text AS line
      FROM past_request AS r`,
  past_target: Prisma.sql`SELECT r.request_id AS "requestId", r.id, to_jsonb(r)::text AS line FROM past_target AS r`,
  list_call: Prisma.sql`SELECT r.id, to_jsonb(r)::text AS line FROM list_call AS r`,
  seal_head: Prisma.sql`SELECT r.id, to_jsonb(r)::text AS line FROM seal_head AS r`,
};
export type ArchivedTable = keyof typeof ROWS;

/** Reads what a month of the record holds, and which months are old enough to go. */
export class RecordMonthLedger {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Months that ended longer ago than they are kept, oldest first. Held are those in which a request that is still open may have a part
   * (all parts of a request are younger than it), and of requests those that are not all here yet, or may be asked for by their keys.
   */
  async past(kind: RecordKind, keepMs: number): Promise<{ readonly month: RecordMonth; readonly isHeld: boolean }[]> {
    const [table] = PARTITIONED[kind].counted;
    const rows = await this.prisma.$queryRaw<{ month: string; isHeld: boolean }[]>`
      WITH oldest AS MATERIALIZED (
        SELECT uuid_extract_timestamp(id) AS at FROM (SELECT id FROM request WHERE state = 'open' OFFSET 0) AS open ORDER BY id LIMIT 1),
      part AS (
        SELECT to_date(right(child.relname, 7), 'YYYY_MM') AS month
          FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
         WHERE inhparent = ${table}::regclass AND child.relname ~ ${`^${table}_\\d{4}_\\d{2}$`})
      SELECT to_char(month, 'YYYY-MM') AS month, ${kind === 'requests' ? NEEDED : AT_WORK} AS "isHeld"
        FROM part CROSS JOIN LATERAL (SELECT (month + interval '1 month') AT TIME ZONE 'UTC' AS ends) AS bound
       WHERE ends <= rescan_now() - ${keepMs}::float8 * interval '1 ms' ORDER BY month`;
    return rows.map(({ month, isHeld }) => ({ month: { kind, month }, isHeld }));
  }

  /** Of its rows, by table. */
  async counts(month: RecordMonth): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of PARTITIONED[month.kind].counted) {
      const [row] = await this.prisma.$queryRaw<{ n: bigint }[]>`
        SELECT count(*) AS n FROM ${Prisma.raw(table)} WHERE ${within(month, monthOf(table))}`;
      counts[table] = Number(row?.n ?? 0);
    }
    return counts;
  }

  /** Whether every event of the month is in its chain. */
  async isSealed(month: RecordMonth): Promise<boolean> {
    const [row] = await this.prisma.$queryRaw<{ open: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM event WHERE ${within(month)}
                        AND NOT EXISTS (SELECT 1 FROM event_seal AS s WHERE s.event_id = event.id AND ${within(month, 's.event_id')})) AS open`;
    return row?.open === false;
  }

  /** How far the month takes each chain that has events in it. Events come in the order of transactions: a few of the next month are among them. */
  async chains(month: RecordMonth): Promise<ArchivedChain[]> {
    const rows = await this.prisma.$queryRaw<(ArchivedChain & { afterSeq: bigint; seq: bigint })[]>`
      SELECT * FROM (
        SELECT DISTINCT ON (s.project_id) s.project_id AS "projectId", s.seq, encode(s.hash, 'hex') AS hash,
               c.base_seq AS "afterSeq", encode(c.base_hash, 'hex') AS "afterHash"
          FROM event_seal AS s JOIN seal_chain AS c USING (project_id)
         WHERE ${within(month, 's.event_id')} ORDER BY s.project_id, s.seq DESC) AS last
       WHERE seq > "afterSeq" ORDER BY "projectId"`;
    return rows.map((row) => ({ ...row, seq: Number(row.seq), afterSeq: Number(row.afterSeq) }));
  }

  /** JSON texts, in the order of ids; a page at a time. */
  async *rows(table: ArchivedTable, month: RecordMonth): AsyncGenerator<string> {
    const order = Prisma.raw(table === 'past_target' ? 'r.request_id, r.id' : 'r.id');
    for (let after = Prisma.sql`true`; ;) {
      const rows = await this.prisma.$queryRaw<{ requestId?: string; id: string | bigint; line: string }[]>`
        ${ROWS[table]} WHERE ${within(month, `r.${monthOf(table)}`)} AND ${after} ORDER BY ${order} LIMIT ${PAGE}::int`;
      for (const { line } of rows) yield line;
      const last = rows.at(-1);
      if (rows.length < PAGE || !last) return;
      after =
        last.requestId === undefined
          ? Prisma.sql`r.id > ${last.id}::uuid`
          : Prisma.sql`(r.request_id, r.id) > (${last.requestId}::uuid, ${last.id}::bigint)`;
    }
  }
}

const AT_WORK = Prisma.sql`coalesce(ends > (SELECT at FROM oldest), false)`;
const NEEDED = Prisma.sql`(
  EXISTS (SELECT 1 FROM request WHERE id < uuidv7_floor(ends))
  OR EXISTS (SELECT 1 FROM idempotency_key WHERE request_id < uuidv7_floor(ends) AND expires_at > rescan_now()))`;

/** The id that says of which month a row is. */
const monthOf = (table: string): string => (table === 'past_target' ? 'request_id' : 'id');

/** By ids, which tell their time: so only the month's partition is looked at. */
function within(month: RecordMonth, id = 'id'): Prisma.Sql {
  const { from, to } = boundsOf(month);
  const column = Prisma.raw(id);
  return Prisma.sql`${column} >= uuidv7_floor(${from}::timestamptz) AND ${column} < uuidv7_floor(${to}::timestamptz)`;
}
