import { Prisma } from '../generated/prisma/client.js';
import type { Principal } from '../security/principal.js';

/** The last id of the page before, null for the first; how many rows to read; and of which time. */
export interface PageBounds {
  readonly after: string | null;
  readonly rows: number;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/**
 * The newest ids of many lists, of which each is in order by itself, such as the calls of each of some projects: as many are read of
 * each as one page takes, and merged. So a page costs the same however long the lists are.
 * @param keys a query, one row for each list
 * @param list what to read for the row `key`: `FROM ... WHERE ...`
 * @param id the id by which each list is in order
 */
export function newestOf(keys: Prisma.Sql, list: Prisma.Sql, id: Prisma.Sql, bounds: PageBounds): Prisma.Sql {
  return Prisma.sql`
    SELECT newest.id FROM (${keys}) AS key CROSS JOIN LATERAL (${newest(list, id, bounds)}) AS newest
     ORDER BY newest.id DESC LIMIT ${bounds.rows}::int`;
}

/** The same of one list. */
export const newest = (list: Prisma.Sql, id: Prisma.Sql, bounds: PageBounds): Prisma.Sql =>
  Prisma.sql`SELECT ${id} AS id ${list} AND ${withinPage(id, bounds)} ORDER BY ${id} DESC LIMIT ${bounds.rows}::int`;

/** Ids begin with their time, and lie in the index by it: near bounds. An id is as far from its row's time as a transaction lasts. */
const SLACK = Prisma.sql`interval '1 minute'`;

export function withinPage(id: Prisma.Sql, { after, since, until }: PageBounds): Prisma.Sql {
  return allOf([
    after === null ? null : Prisma.sql`${id} < ${after}::uuid`,
    since === undefined ? null : Prisma.sql`${id} >= uuidv7_floor(${since}::timestamptz - ${SLACK})`,
    until === undefined ? null : Prisma.sql`${id} < uuidv7_floor(${until}::timestamptz + ${SLACK})`,
  ]);
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

/** The projects that may be seen, one row `id` each. @param projectId only this one, where it is one of them */
export function projectKeys({ projects }: Principal, projectId: string | undefined): Prisma.Sql {
  if (projects === '*' && projectId === undefined) return Prisma.sql`SELECT id FROM project`;
  const seen = projects === '*' || projectId === undefined ? projects : projects.filter((one) => one === projectId);
  return Prisma.sql`SELECT DISTINCT id FROM unnest(${seen === '*' ? [projectId] : [...seen]}::text[]) AS id`;
}

/** Null where every project may be seen. */
export function isSeen(column: Prisma.Sql, { projects }: Principal, projectId: string | undefined): Prisma.Sql | null {
  const own = projects === '*' ? null : Prisma.sql`${column} = ANY(${[...projects]}::text[])`;
  const one = projectId === undefined ? null : Prisma.sql`${column} = ${projectId}`;
  return own === null && one === null ? null : allOf([own, one]);
}
