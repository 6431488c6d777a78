import { Prisma } from '../generated/prisma/client.js';
import type { Principal } from '../security/principal.js';

/** The last id of the page before, null for the first; how many rows to read; and of which time. */
export interface PageBounds {
  readonly after: string | null;
  readonly rows: number;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Rows that lie side by side in an index, in the order of their ids: all that have these values in its first columns. */
export interface List {
  readonly from: Prisma.Sql;
  readonly prefix: readonly (readonly [column: Prisma.Sql, value: Prisma.Sql])[];
  readonly id: Prisma.Sql;
  /**
   * What is looked at row by row, and the condition of a partial index. Not that a column of the prefix equals its value: then Postgres
   * knows that it needs no sorting by it, and may read the whole table in the order of the ids.
   */
  readonly where: Prisma.Sql;
}

/** The ids of the newest of a list, newest first. */
export function newest({ from, prefix, id, where }: List, bounds: PageBounds): Prisma.Sql {
  const [lower, upper] = idRange(bounds);
  const columns = [...prefix.map(([column]) => column), id];
  const rowOf = (end: string): Prisma.Sql =>
    Prisma.join([...prefix.map(([, value]) => value), untold(Prisma.sql`${end}::uuid`)]);
  return Prisma.sql`
    SELECT ${id} AS id FROM ${from}
     WHERE ${isFrom(columns, rowOf(lower))} AND (${Prisma.join(columns)}) < (${rowOf(upper)}) AND ${where}
     ORDER BY ${Prisma.join(columns.map((column) => Prisma.sql`${column} DESC`))} LIMIT ${bounds.rows}::int`;
}

/**
 * A value that Postgres learns only when it reads. Where it knows the value of a first column, it takes its share of a month for nearly
 * nothing (it counts those that are less, and the most common one is less than none), and would rather read and sort them all. An
 * autovacuum brings this about: it counts months, but never the table that they are of.
 */
export const untold = (value: Prisma.Sql): Prisma.Sql => Prisma.sql`(SELECT ${value})`;

/**
 * As rows of two columns at least: of one column between two values that it does not know, Postgres thinks that it has a few rows in a
 * hundred, and would rather read and sort them all.
 */
export const isFrom = (columns: readonly Prisma.Sql[], row: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`(${Prisma.join(columns)}, 0) >= (${row}, 0)`;

/**
 * The same of many lists: as many are read of each as one page takes, and merged. So a page costs the same however long they are.
 * @param keys a query, one row `key` for each list
 */
export const newestOf = (keys: Prisma.Sql, list: List, bounds: PageBounds): Prisma.Sql => Prisma.sql`
  SELECT newest.id FROM (${keys}) AS key CROSS JOIN LATERAL (${newest(list, bounds)}) AS newest
   ORDER BY newest.id DESC LIMIT ${bounds.rows}::int`;

export const LEAST_ID = '00000000-0000-0000-0000-000000000000';
export const GREATEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Of an id, which begins with its time, and the time that its row tells: no transaction lasts longer. */
const SLACK_MS = 60_000;

/** @returns the least id, and the one before which all lie */
export function idRange({ after, since, until }: Omit<PageBounds, 'rows'>): readonly [string, string] {
  const lower = since === undefined ? LEAST_ID : floorOf(since.getTime() - SLACK_MS);
  const upper = until === undefined ? GREATEST_ID : floorOf(until.getTime() + SLACK_MS);
  const before = after?.toLowerCase() ?? GREATEST_ID;
  return [lower, before < upper ? before : upper];
}

/** The least UUIDv7 of a millisecond. */
function floorOf(ms: number): string {
  const digits = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}

/** The exact bounds of the time itself. */
export const isWithin = (time: Prisma.Sql, { since, until }: Pick<PageBounds, 'since' | 'until'>): Prisma.Sql =>
  allOf([
    since === undefined ? null : Prisma.sql`${time} >= ${since}::timestamptz`,
    until === undefined ? null : Prisma.sql`${time} < ${until}::timestamptz`,
  ]);

/** `true` where there is none. */
export const allOf = (conditions: readonly (Prisma.Sql | null)[]): Prisma.Sql => {
  const some = conditions.filter((one) => one !== null);
  return some.length === 0 ? Prisma.sql`true` : Prisma.join(some, ' AND ');
};

/** All of these, of which Postgres cannot guess how few rows have them: or it would rather read a whole list and sort what is left. */
export const rowByRow = (conditions: readonly (Prisma.Sql | null)[]): Prisma.Sql =>
  Prisma.sql`CASE WHEN ${allOf(conditions)} THEN true ELSE false END`;

/** The projects that may be seen, one row `id` each. @param projectId only this one, where it is one of them */
export function projectKeys({ projects }: Principal, projectId: string | undefined): Prisma.Sql {
  if (projects === '*' && projectId === undefined) return Prisma.sql`SELECT id FROM project`;
  const seen = projects === '*' || projectId === undefined ? projects : projects.filter((one) => one === projectId);
  return Prisma.sql`SELECT DISTINCT id FROM unnest(${seen === '*' ? [projectId] : [...seen]}::text[]) AS id`;
}

/** `true` where every project may be seen. */
export const isSeen = (column: Prisma.Sql, { projects }: Principal, projectId: string | undefined): Prisma.Sql =>
  allOf([
    projects === '*' ? null : Prisma.sql`${column} = ANY(${[...projects]}::text[])`,
    projectId === undefined ? null : Prisma.sql`${column} = ${projectId}`,
  ]);
