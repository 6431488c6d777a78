import { Injectable } from '@nestjs/common';
import { fromMask } from '../domain/scan-type.js';
import { Prisma } from '../generated/prisma/client.js';
import { placeCursor, toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PageQueryDto } from '../platform/http/page-query.dto.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { CallDto, CallTargetDto } from './call.dto.js';
import { CallQueryDto } from './call-query.dto.js';
import { newestCalls } from './call-search.js';
import { newest, untold, type PageBounds } from './newest.js';

export const CALL_COLUMNS = Prisma.sql`
  c.id, c.lane_id AS lane, c.credential, c.project_id AS "projectId", s.enterprise_project_id AS "enterpriseProjectId",
  s.task_id AS "taskId", c.range_type::text AS "rangeType", c.cluster_count AS "clusterCount", c.state::text AS state,
  c.started_at AS "startedAt", c.lease_until AS "leaseUntil", c.finished_at AS "finishedAt",
  nullif(c.slot_free_at, 'infinity') AS "slotFreeAt", c.http_status AS "httpStatus", c.error_code AS "errorCode",
  c.error_text AS "errorText", c.upstream_request_id AS "upstreamRequestId", c.duration_ms AS "durationMs", c.decision,
  c.effect::text AS effect, c.verdict_due_at AS "verdictDueAt",
  c.policy_version AS "policyVersion", c.worker, encode(c.body_sha256, 'hex') AS "bodySha256",
  ARRAY(SELECT request_id::text FROM call_request WHERE call_request.call_id = c.id ORDER BY request_id) AS "requestIds"`;

/** Ids have the time of the server's clock, which may step back. */
const CLOCK_SLACK = '5 minutes';

@Injectable()
export class CallReader {
  constructor(private readonly prisma: RecordPrisma) {}

  /** @throws DomainError `not_found`, also for what belongs to other projects */
  async find(id: string, principal: Principal): Promise<CallDto> {
    const [call] = await this.prisma.$queryRaw<CallDto[]>`
      SELECT ${CALL_COLUMNS} FROM call AS c JOIN scan_task AS s ON s.id = c.scan_task_id WHERE c.id = ${id}::uuid`;
    return own(call, principal);
  }

  /** Newest first. */
  async list(query: CallQueryDto, principal: Principal): Promise<Page<CallDto>> {
    const newest = query.clusterId === undefined ? null : await this.newestOfCluster(query, principal);
    return newest ?? this.page(query, (bounds) => newestCalls(query, principal, bounds));
  }

  /**
   * A page of calls that are all younger than whatever came of requests which were moved to the past: so it costs the same, however often
   * the cluster was asked for in years.
   * @returns null where older ones may belong to it
   */
  private async newestOfCluster(query: CallQueryDto, principal: Principal): Promise<Page<CallDto> | null> {
    const page = await this.page(query, (bounds) => newestCalls(query, principal, bounds, 'target'));
    const last = page.nextCursor === null ? undefined : page.items.at(-1);
    if (last === undefined) return null;
    const [past] = await this.prisma.$queryRaw<{ before: string }[]>`
      SELECT uuidv7_floor(finished_at + ${CLOCK_SLACK}::interval) AS before FROM past_request
       WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1`;
    return past === undefined || last.id > past.before ? page : null;
  }

  /** Of one request, newest first. @throws DomainError `not_found` */
  async listOfRequest(requestId: string, page: PageQueryDto, principal: Principal): Promise<Page<CallDto>> {
    const [request] = await this.prisma.$queryRaw<{ projectId: string }[]>`
      SELECT project_id AS "projectId" FROM any_request WHERE id = ${requestId}::uuid`;
    own(request, principal);
    const list = {
      from: Prisma.sql`call_request AS cr`,
      prefix: [[Prisma.sql`cr.request_id`, untold(Prisma.sql`${requestId}::uuid`)]] as const,
      id: Prisma.sql`cr.call_id`,
      where: Prisma.sql`true`,
    };
    return this.page(page, (bounds) => newest(list, bounds));
  }

  /** `OFFSET 0`: each is read by its id, whatever Postgres thinks of how many they are. */
  private async page(
    { limit, cursor }: PageQueryDto,
    idsOf: (bounds: Pick<PageBounds, 'after' | 'rows'>) => Prisma.Sql,
  ): Promise<Page<CallDto>> {
    const calls = await this.prisma.$queryRaw<CallDto[]>`
      SELECT shown.* FROM (${idsOf({ after: uuidCursor(cursor), rows: limit + 1 })}) AS found
       CROSS JOIN LATERAL (SELECT ${CALL_COLUMNS} FROM call AS c JOIN scan_task AS s ON s.id = c.scan_task_id
                            WHERE c.id = found.id OFFSET 0) AS shown
       ORDER BY shown.id DESC`;
    return toPage(calls, limit, ({ id }) => id);
  }

  /** In the order sent; a cluster that several requests wanted stands once for each. Those of requests that are not kept any more are left out. */
  async targets(id: string, { limit, cursor }: PageQueryDto, principal: Principal): Promise<Page<CallTargetDto>> {
    const after = placeCursor(cursor);
    await this.find(id, principal);
    const rows = await this.prisma.$queryRaw<
      { place: number; clusterId: string | null; mask: number; requestId: string | null }[]
    >`
      SELECT part.place::int AS place, t.cluster_id AS "clusterId", coalesce(part.mask, 0) AS mask, t.request_id AS "requestId"
        FROM (SELECT shown.* FROM call
               CROSS JOIN unnest(call.target_ids, call.scan_masks) WITH ORDINALITY AS shown (id, mask, place)
               WHERE call.id = ${id}::uuid AND place > ${after}::int ORDER BY place LIMIT ${limit + 1}::int) AS part
        LEFT JOIN LATERAL (
             SELECT cluster_id, request_id FROM any_target AS own
              WHERE own.id = part.id AND own.request_id = ANY(ARRAY(SELECT cr.request_id FROM call_request AS cr WHERE cr.call_id = ${id}::uuid))
             OFFSET 0) AS t ON true
       ORDER BY part.place`;
    const page = toPage(rows, limit, ({ place }) => String(place));
    return {
      ...page,
      items: page.items.flatMap(({ clusterId, mask, requestId }) =>
        requestId === null ? [] : [{ clusterId, scanTypes: fromMask(mask), requestId }],
      ),
    };
  }
}
