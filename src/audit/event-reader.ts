import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import { noSuchThing } from '../platform/http/path-id.js';
import { toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { mayTouch, type Principal } from '../security/principal.js';
import { EventDto } from './event.dto.js';
import { EventQueryDto } from './event-query.dto.js';
import { allOf, isSeen, isWithin, newest, newestOf, projectKeys, withinPage, type PageBounds } from './newest.js';

/** An event of 100,000 targets names so many of their clusters; the others stand in the lists of its request and its call. */
const CLUSTERS_SHOWN = 20;

/** Targets are numbers in the record: here they are counted, and the first of them named. */
const COLUMNS = Prisma.sql`
  e.id, e.at, e.kind, e.actor, e.key_id AS "keyId", e.project_id AS "projectId", e.request_id AS "requestId", e.call_id AS "callId",
  e.lane_id AS "laneId", e.schedule_id AS "scheduleId", said.text, said.redacted_at IS NOT NULL AS redacted,
  CASE WHEN jsonb_typeof(e.data -> 'targets') = 'array'
       THEN e.data || jsonb_build_object('targets', jsonb_array_length(e.data -> 'targets')) ELSE e.data END AS data,
  CASE WHEN jsonb_typeof(e.data -> 'targets') = 'array' THEN ARRAY(
       SELECT t.cluster_id
         FROM (SELECT target_id::bigint AS id FROM jsonb_array_elements_text(e.data -> 'targets') AS named (target_id) LIMIT ${CLUSTERS_SHOWN}::int) AS part
        CROSS JOIN LATERAL (SELECT cluster_id FROM target WHERE target.id = part.id OFFSET 0) AS t
        WHERE t.cluster_id IS NOT NULL ORDER BY part.id) END AS "clusterIds"`;

const ID = Prisma.sql`e.id`;

@Injectable()
export class EventReader {
  constructor(private readonly prisma: PrismaService) {}

  /** Newest first. Events of no project are for those who may see every project. */
  async list(query: EventQueryDto, principal: Principal): Promise<Page<EventDto>> {
    const { limit, cursor, since, until } = query;
    const bounds = { after: uuidCursor(cursor), rows: limit + 1, since, until };
    return this.read(newestEvents(query, principal, bounds), limit, Prisma.sql`DESC`);
  }

  /**
   * Everything that happened to a request and to the calls that carried a part of it, in the order of time. What those calls were
   * for others is left out.
   * @throws DomainError `not_found`, also for what belongs to other projects
   */
  async trace(requestId: string, { limit, cursor }: PageQueryDto, principal: Principal): Promise<Page<EventDto>> {
    const after = uuidCursor(cursor);
    const [request] = await this.prisma.$queryRaw<{ projectId: string }[]>`
      SELECT project_id AS "projectId" FROM request WHERE id = ${requestId}::uuid`;
    if (!request || !mayTouch(principal, request.projectId)) throw noSuchThing();
    const isNext = after === null ? Prisma.sql`true` : Prisma.sql`e.id > ${after}::uuid`;
    const next = Prisma.sql`AND ${isNext} ORDER BY e.id LIMIT ${limit + 1}::int`;
    const ids = Prisma.sql`
      SELECT id FROM (
        (SELECT e.id FROM event AS e WHERE e.request_id = ${requestId}::uuid ${next})
         UNION ALL
        SELECT own.id FROM call_request AS cr
         CROSS JOIN LATERAL (SELECT e.id FROM event AS e WHERE e.call_id = cr.call_id AND e.request_id IS NULL ${next}) AS own
         WHERE cr.request_id = ${requestId}::uuid) AS step
       ORDER BY id LIMIT ${limit + 1}::int`;
    return this.read(ids, limit, Prisma.sql`ASC`);
  }

  /** `OFFSET 0`: each is read by its id, whatever Postgres thinks of how many they are. */
  private async read(ids: Prisma.Sql, limit: number, order: Prisma.Sql): Promise<Page<EventDto>> {
    const rows = await this.prisma.$queryRaw<EventDto[]>`
      SELECT shown.* FROM (${ids}) AS found
       CROSS JOIN LATERAL (SELECT ${COLUMNS} FROM event AS e LEFT JOIN event_text AS said ON said.hash = e.text_hash
                            WHERE e.id = found.id OFFSET 0) AS shown
       ORDER BY shown.id ${order}`;
    return toPage(rows, limit, ({ id }) => id);
  }
}

/** Its most telling filter says which index is read from its end; the other filters are looked at row by row. */
function newestEvents(query: EventQueryDto, principal: Principal, bounds: PageBounds): Prisma.Sql {
  const { requestId, callId, scheduleId, projectId, kind, actor, laneId } = query;
  const asked = allOf([
    kind === undefined ? null : Prisma.sql`e.kind = ${kind}`,
    actor === undefined ? null : ofActor(actor),
    laneId === undefined ? null : Prisma.sql`e.lane_id = ${laneId}`,
    requestId === undefined ? null : Prisma.sql`e.request_id = ${requestId}::uuid`,
    callId === undefined ? null : Prisma.sql`e.call_id = ${callId}::uuid`,
    scheduleId === undefined ? null : Prisma.sql`e.schedule_id = ${scheduleId}::uuid`,
    isWithin(Prisma.sql`e.at`, query),
  ]);
  const isOfOne = [requestId, callId, scheduleId].some((one) => one !== undefined);
  const isOfAll = principal.projects === '*' && projectId === undefined;
  if (isOfOne || (isOfAll && [kind, actor, laneId].every((one) => one === undefined))) {
    const seen = isSeen(Prisma.sql`e.project_id`, principal, projectId);
    return newest(Prisma.sql`FROM event AS e WHERE ${allOf([asked, seen])}`, ID, bounds);
  }
  const ofProject = Prisma.sql`FROM event AS e WHERE e.project_id = key.id AND ${asked}`;
  const ofProjects = newestOf(projectKeys(principal, projectId), ofProject, ID, bounds);
  if (!isOfAll) return ofProjects;
  // In the order of the index: Postgres does not see by itself that a column which is null is the same in every row.
  return Prisma.sql`
    SELECT id FROM (
      (${ofProjects})
       UNION ALL
      (SELECT e.id FROM event AS e WHERE e.project_id IS NULL AND ${asked} AND ${withinPage(ID, bounds)}
        ORDER BY e.project_id DESC, e.id DESC LIMIT ${bounds.rows}::int)) AS either
     ORDER BY id DESC LIMIT ${bounds.rows}::int`;
}

/** What the service does itself is nearly everything, and stands in no index of actors. */
const ofActor = (actor: string): Prisma.Sql =>
  actor === 'rescan' ? Prisma.sql`e.actor = 'rescan'` : Prisma.sql`e.actor = ${actor} AND e.actor <> 'rescan'`;
