import { Injectable } from '@nestjs/common';
import { fromMask } from '../domain/scan-type.js';
import { Prisma } from '../generated/prisma/client.js';
import { noSuchThing } from '../platform/http/path-id.js';
import { placeCursor, toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { mayTouch, type Principal } from '../security/principal.js';
import { CallDto, CallTargetDto } from './call.dto.js';
import { CallQueryDto } from './call-query.dto.js';

export const CALL_COLUMNS = Prisma.sql`
  c.id, c.lane_id AS lane, c.credential, c.project_id AS "projectId", s.enterprise_project_id AS "enterpriseProjectId",
  s.task_id AS "taskId", c.range_type::text AS "rangeType", c.cluster_count AS "clusterCount", c.state::text AS state,
  c.started_at AS "startedAt", c.lease_until AS "leaseUntil", c.finished_at AS "finishedAt",
  nullif(c.slot_free_at, 'infinity') AS "slotFreeAt", c.http_status AS "httpStatus", c.error_code AS "errorCode",
  c.error_text AS "errorText", c.upstream_request_id AS "upstreamRequestId", c.duration_ms AS "durationMs", c.decision,
  c.effect::text AS effect, c.verdict_due_at AS "verdictDueAt",
  c.policy_version AS "policyVersion", c.worker, encode(c.body_sha256, 'hex') AS "bodySha256",
  ARRAY(SELECT request_id::text FROM call_request WHERE call_request.call_id = c.id ORDER BY request_id) AS "requestIds"`;

@Injectable()
export class CallReader {
  constructor(private readonly prisma: PrismaService) {}

  /** @throws DomainError `not_found`, also for what belongs to other projects */
  async find(id: string, principal: Principal): Promise<CallDto> {
    const [call] = await this.prisma.$queryRaw<CallDto[]>`
      SELECT ${CALL_COLUMNS} FROM call AS c JOIN scan_task AS s ON s.id = c.scan_task_id WHERE c.id = ${id}::uuid`;
    if (!call || !mayTouch(principal, call.projectId)) throw noSuchThing();
    return call;
  }

  /** Newest first. */
  list(query: CallQueryDto, principal: Principal): Promise<Page<CallDto>> {
    const { projectId, taskId, clusterId, state, effect, errorCode, since, until } = query;
    return this.page(query, [
      principal.projects === '*' ? null : Prisma.sql`c.project_id = ANY(${[...principal.projects]}::text[])`,
      projectId === undefined ? null : Prisma.sql`c.project_id = ${projectId}`,
      taskId === undefined ? null : Prisma.sql`s.task_id = ${taskId}`,
      clusterId === undefined
        ? null
        : Prisma.sql`c.id IN (SELECT unnest(call_ids) FROM target WHERE cluster_id = ${clusterId})`,
      state === undefined ? null : Prisma.sql`c.state = ${state}::call_state`,
      effect === undefined ? null : Prisma.sql`c.effect = ${effect}::call_effect`,
      errorCode === undefined ? null : Prisma.sql`c.error_code = ${errorCode}`,
      since === undefined ? null : Prisma.sql`c.started_at >= ${since}::timestamptz`,
      until === undefined ? null : Prisma.sql`c.started_at < ${until}::timestamptz`,
    ]);
  }

  /** Of one request, newest first. @throws DomainError `not_found` */
  async listOfRequest(
    requestId: string,
    page: Pick<CallQueryDto, 'limit' | 'cursor'>,
    principal: Principal,
  ): Promise<Page<CallDto>> {
    const [request] = await this.prisma.$queryRaw<{ projectId: string }[]>`
      SELECT project_id AS "projectId" FROM request WHERE id = ${requestId}::uuid`;
    if (!request || !mayTouch(principal, request.projectId)) throw noSuchThing();
    return this.page(page, [
      Prisma.sql`c.id IN (SELECT call_id FROM call_request WHERE request_id = ${requestId}::uuid)`,
    ]);
  }

  private async page(
    { limit, cursor }: Pick<CallQueryDto, 'limit' | 'cursor'>,
    conditions: readonly (Prisma.Sql | null)[],
  ): Promise<Page<CallDto>> {
    const after = uuidCursor(cursor);
    const all = [...conditions, after === null ? null : Prisma.sql`c.id < ${after}::uuid`].filter(
      (one) => one !== null,
    );
    const where = all.length > 0 ? Prisma.sql`WHERE ${Prisma.join(all, ' AND ')}` : Prisma.empty;
    const calls = await this.prisma.$queryRaw<CallDto[]>`
      SELECT ${CALL_COLUMNS} FROM call AS c JOIN scan_task AS s ON s.id = c.scan_task_id ${where}
       ORDER BY c.id DESC LIMIT ${limit + 1}::int`;
    return toPage(calls, limit, ({ id }) => id);
  }

  /** In the order sent; a cluster that several requests wanted stands once for each. */
  async targets(
    id: string,
    { limit, cursor }: Pick<CallQueryDto, 'limit' | 'cursor'>,
    principal: Principal,
  ): Promise<Page<CallTargetDto>> {
    const after = placeCursor(cursor);
    await this.find(id, principal);
    const rows = await this.prisma.$queryRaw<
      { place: number; clusterId: string | null; mask: number; requestId: string }[]
    >`
      SELECT part.place::int AS place, t.cluster_id AS "clusterId", coalesce(part.mask, 0) AS mask, t.request_id AS "requestId"
        FROM (SELECT shown.* FROM call
               CROSS JOIN unnest(call.target_ids, call.scan_masks) WITH ORDINALITY AS shown (id, mask, place)
               WHERE call.id = ${id}::uuid AND place > ${after}::int ORDER BY place LIMIT ${limit + 1}::int) AS part
        JOIN target AS t ON t.id = part.id
       ORDER BY part.place`;
    const page = toPage(rows, limit, ({ place }) => String(place));
    return {
      ...page,
      items: page.items.map(({ clusterId, mask, requestId }) => ({ clusterId, scanTypes: fromMask(mask), requestId })),
    };
  }
}
