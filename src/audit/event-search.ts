import { Prisma } from '../generated/prisma/client.js';
import type { Principal } from '../security/principal.js';
import { EventQueryDto } from './event-query.dto.js';
import {
  allOf,
  idRange,
  isFrom,
  isSeen,
  isWithin,
  newest,
  newestOf,
  projectKeys,
  rowByRow,
  untold,
  type List,
  type PageBounds,
} from './newest.js';

/** Its most telling filter says which index is read from its end; the other filters are looked at row by row. */
export function newestEvents(query: EventQueryDto, principal: Principal, bounds: PageBounds): Prisma.Sql {
  const { projectId } = query;
  const seen = isSeen(Prisma.sql`e.project_id`, principal, projectId);
  const one = (['requestId', 'callId', 'scheduleId'] as const).find((field) => query[field] !== undefined);
  if (one !== undefined) {
    const prefix = [[COLUMN[one], untold(Prisma.sql`${query[one]}::uuid`)]] as const;
    return newest(events(prefix, allOf([isThere(one), rowByRow([seen, conditions(query, one)])])), bounds);
  }
  const isOfAll = principal.projects === '*' && projectId === undefined;
  const some = telling(query);
  if (isOfAll && query.actor === undefined && some === null) {
    return newest(events([], rowByRow([conditions(query, null)])), bounds);
  }
  const column = some === null ? [] : [[COLUMN[some], untold(Prisma.sql`${query[some]}`)] as const];
  const ofProject = [Prisma.sql`e.project_id`, Prisma.sql`key.id`] as const;
  const where = allOf([some === null ? null : isThere(some), rowByRow([conditions(query, some)])]);
  const ofProjects = newestOf(projectKeys(principal, projectId), events([...column, ofProject], where), bounds);
  return isOfAll ? withThoseOfNoProject(ofProjects, conditions(query, null), bounds) : ofProjects;
}

type Field = 'requestId' | 'callId' | 'scheduleId' | 'actor' | 'laneId' | 'kind';

const COLUMN: Readonly<Record<Field, Prisma.Sql>> = {
  requestId: Prisma.sql`e.request_id`,
  callId: Prisma.sql`e.call_id`,
  scheduleId: Prisma.sql`e.schedule_id`,
  actor: Prisma.sql`e.actor`,
  laneId: Prisma.sql`e.lane_id`,
  kind: Prisma.sql`e.kind`,
};

/** Which index is read. What the service does itself is nearly everything, and stands in no index of actors. */
function telling({ actor, laneId, kind }: EventQueryDto): 'actor' | 'laneId' | 'kind' | null {
  if (actor !== undefined && actor !== 'rescan') return 'actor';
  if (laneId !== undefined) return 'laneId';
  return kind === undefined ? null : 'kind';
}

/** The condition of the partial index of a column. */
const isThere = (field: Field): Prisma.Sql =>
  field === 'actor' ? Prisma.sql`e.actor <> 'rescan'` : Prisma.sql`${COLUMN[field]} IS NOT NULL`;

const events = (prefix: List['prefix'], where: Prisma.Sql): List => ({
  from: Prisma.sql`event AS e`,
  prefix,
  id: Prisma.sql`e.id`,
  where,
});

/** As they are looked at row by row. @param but for this one, which the index is read by */
function conditions(query: EventQueryDto, but: Field | null): Prisma.Sql {
  const fields = (Object.keys(COLUMN) as Field[]).filter((field) => field !== but && query[field] !== undefined);
  const equal = fields.map((field) =>
    field.endsWith('Id') && field !== 'laneId'
      ? Prisma.sql`${COLUMN[field]} = ${query[field]}::uuid`
      : Prisma.sql`${COLUMN[field]} = ${query[field]}`,
  );
  return allOf([...equal, isWithin(Prisma.sql`e.at`, query)]);
}

/** In the order of the index: that a column is null in every row, Postgres does not count as being the same. */
function withThoseOfNoProject(ofProjects: Prisma.Sql, where: Prisma.Sql, bounds: PageBounds): Prisma.Sql {
  const [lower, upper] = idRange(bounds);
  return Prisma.sql`
    SELECT id FROM (
      (${ofProjects})
       UNION ALL
      (SELECT e.id FROM event AS e
        WHERE e.project_id IS NULL AND ${isFrom([Prisma.sql`e.id`], untold(Prisma.sql`${lower}::uuid`))} AND e.id < ${untold(Prisma.sql`${upper}::uuid`)} AND ${where}
        ORDER BY e.project_id DESC, e.id DESC LIMIT ${bounds.rows}::int)) AS either
     ORDER BY id DESC LIMIT ${bounds.rows}::int`;
}
