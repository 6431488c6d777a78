import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import { toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { EventDto } from './event.dto.js';
import { EventQueryDto } from './event-query.dto.js';
import { newestEvents } from './event-search.js';
import { GREATEST_ID, LEAST_ID } from './newest.js';

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
        CROSS JOIN LATERAL (SELECT cluster_id FROM any_target AS t WHERE t.request_id = e.request_id AND t.id = part.id OFFSET 0) AS t
        WHERE t.cluster_id IS NOT NULL ORDER BY part.id) END AS "clusterIds"`;

@Injectable()
export class EventReader {
  constructor(private readonly prisma: RecordPrisma) {}

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
      SELECT project_id AS "projectId" FROM any_request WHERE id = ${requestId}::uuid`;
    own(request, principal);
    const ofRequest = nextOf(Prisma.sql`e.request_id`, Prisma.sql`${requestId}::uuid`, after, limit);
    const ofCall = nextOf(Prisma.sql`e.call_id`, Prisma.sql`cr.call_id`, after, limit);
    const ids = Prisma.sql`
      SELECT id FROM (
        (SELECT e.id FROM event AS e WHERE ${ofRequest})
         UNION ALL
        SELECT own.id FROM call_request AS cr
         CROSS JOIN LATERAL (SELECT e.id FROM event AS e WHERE e.request_id IS NULL AND ${ofCall}) AS own
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

/** The next of a list, oldest first: `newest` the other way round. */
const nextOf = (column: Prisma.Sql, value: Prisma.Sql, after: string | null, limit: number): Prisma.Sql => Prisma.sql`
  ${column} IS NOT NULL AND (${column}, e.id) > (${value}, ${after ?? LEAST_ID}::uuid)
  AND (${column}, e.id) <= (${value}, ${GREATEST_ID}::uuid)
  ORDER BY ${column}, e.id LIMIT ${limit + 1}::int`;
