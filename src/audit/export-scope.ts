import { Prisma } from '../generated/prisma/client.js';
import type { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { idHorizon } from './horizon.js';

/** Ids carry the time of the database's clock, columns the service's: an id is this close to its row's time, transaction included. */
const SLACK_MS = 5 * 60_000;
export const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const BEYOND_IDS = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

export const EXPORT_KINDS = ['calls', 'targets', 'events'] as const;
export type ExportKind = (typeof EXPORT_KINDS)[number];

export interface ExportFilter {
  /** Those that the caller may see, and asked for. */
  readonly projects: readonly string[] | '*';
  readonly since: Date | null;
  readonly until: Date | null;
}

/** What one export covers, from its beginning to its end. */
export interface ExportScope extends ExportFilter {
  /** Ids from this one on, and below that one: they bound what is read, and `since` and `until` cut its edges exactly. */
  readonly idsFrom: string;
  readonly idsBelow: string;
  /** Of chains that have events near `since`, and of all where there is an `until`. Only of events. */
  readonly edges: readonly ChainEdge[];
}

/** From and up to which seq the events of a chain are asked for; null: the ids alone bound them. */
export interface ChainEdge {
  readonly projectId: string;
  readonly first: number | null;
  readonly last: number | null;
}

/** A row that was read, as it came from Postgres: `keyOf` and `toRow` of its source read it. */
export type Line = Readonly<Record<string, unknown>>;

export interface ExportRow {
  readonly [column: string]: unknown;
  /** Where an export goes on after this row. */
  readonly cursor: string;
}

/** One kind of what can be exported, in an order in which nothing appears before what was read. */
export interface ExportSource {
  /** Those of CSV, in their order; `a.b` is the field b of a. */
  readonly columns: readonly string[];
  scope(filter: ExportFilter): Promise<ExportScope>;
  /** Each row as JSON, in their order; none at the end. */
  page(scope: ExportScope, after: string | null, limit: number): Promise<readonly string[]>;
  /** After which the next page begins. */
  keyOf(line: Line): string;
  /** @throws DomainError `bad_cursor` */
  keyOfCursor(cursor: string | undefined): string | null;
  /** Without its cursor. */
  toRow(line: Line): Readonly<Record<string, unknown>>;
}

/** Rows as texts of JSON, which are read one after the other: as a value for each column, Prisma makes twice the garbage of them. */
export async function readLines(prisma: RecordPrisma, rows: Prisma.Sql): Promise<readonly string[]> {
  const lines = await prisma.$queryRaw<{ line: string }[]>`SELECT to_json(read)::text AS line FROM (${rows}) AS read`;
  return lines.map(({ line }) => line);
}

/** Of a `timestamptz` in a line. */
export const momentOf = (text: unknown): Date | null => (typeof text === 'string' ? new Date(text) : null);

/** Of rows that are exported in the order of their UUIDv7, none of which can appear below the horizon any more. */
export async function scopeBelowHorizon(prisma: RecordPrisma, filter: ExportFilter): Promise<ExportScope> {
  const scope = scopeOf(filter);
  const horizon = await idHorizon(prisma);
  return { ...scope, idsBelow: horizon < scope.idsBelow ? horizon : scope.idsBelow };
}

export function scopeOf(filter: ExportFilter): ExportScope {
  const { since, until } = filter;
  return {
    ...filter,
    idsFrom: since === null ? FIRST_ID : idAt(since.getTime() - SLACK_MS),
    idsBelow: until === null ? BEYOND_IDS : idAt(until.getTime() + SLACK_MS),
    edges: [],
  };
}

/** Between which ids the rows of a moment may be. */
export const idsAround = (moment: Date): readonly [string, string] => [
  idAt(moment.getTime() - SLACK_MS),
  idAt(moment.getTime() + SLACK_MS),
];

/** The least UUIDv7 of a millisecond. */
function idAt(ms: number): string {
  const hex = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}${FIRST_ID.slice(13)}`;
}

/** Whether a moment in a column is asked for: the column `wanted` of each line. */
export function within(column: Prisma.Sql, { since, until }: ExportFilter): Prisma.Sql {
  return Prisma.sql`(${column} >= coalesce(${since}::timestamptz, '-infinity') AND ${column} < coalesce(${until}::timestamptz, 'infinity'))`;
}

/**
 * The next ids of a table with `project_id`, in their order, at most `limit`. Each project is probed by itself: no index has the rows of
 * several projects in the order of their ids. What is asked of the index is no more than where to begin, and both of its columns where
 * it is that of the project: the more Postgres is told, the fewer rows it expects, and the rather it reads and sorts all of them.
 */
export function idsInOrder(
  { projects, idsFrom, idsBelow }: ExportScope,
  { table, columns, from }: { table: Prisma.Sql; columns: Prisma.Sql; from: string },
  limit: number,
): Prisma.Sql {
  const first = from > idsFrom ? from : idsFrom;
  if (projects === '*') {
    return Prisma.sql`
      SELECT * FROM (SELECT ${columns} FROM ${table} WHERE id >= ${first}::uuid ORDER BY id LIMIT ${limit}::int) AS next
       WHERE id < ${idsBelow}::uuid`;
  }
  return Prisma.sql`
    SELECT probed.* FROM unnest(${[...projects]}::text[]) AS own (project)
      CROSS JOIN LATERAL (
           SELECT project_id, ${columns} FROM ${table} WHERE (project_id, id) >= (own.project, ${first}::uuid)
            ORDER BY project_id, id LIMIT ${limit}::int) AS probed
     WHERE project_id = own.project AND id < ${idsBelow}::uuid ORDER BY id LIMIT ${limit}::int`;
}
