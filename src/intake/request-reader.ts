import { Injectable } from '@nestjs/common';
import { priorityAt } from '../domain/priority.js';
import type { RequestRange, RequestSource, RequestState } from '../domain/request.js';
import { fromMask, type ScanType } from '../domain/scan-type.js';
import { Prisma } from '../generated/prisma/client.js';
import { toPage, uuidCursor, type Page } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { own } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { RequestCountsDto, RequestDto } from './request.dto.js';

export interface RequestFilter {
  readonly projectId?: string;
  readonly taskId?: string;
  readonly state?: RequestState;
  readonly source?: RequestSource;
  readonly limit: number;
  readonly cursor?: string;
}

interface RequestRow extends RequestCountsDto {
  id: string;
  projectId: string;
  enterpriseProjectId: string;
  taskId: string;
  range: RequestRange;
  priority: number;
  scanTypes: number;
  state: RequestState;
  source: RequestSource;
  caller: string;
  labels: Record<string, string>;
  deadline: Date | null;
  maxRounds: number;
  createdAt: Date;
  finishedAt: Date | null;
  cancelRequestedAt: Date | null;
  replayOf: string | null;
  resolved: boolean;
  acceptedAt: Date | null;
  promised: { calls: number; position: number; acceptedAt: string | null } | null;
}

const COLUMNS = Prisma.sql`
  r.id, r.project_id AS "projectId", s.enterprise_project_id AS "enterpriseProjectId", s.task_id AS "taskId",
  r.range::text AS range, r.priority, r.scan_types AS "scanTypes", r.state::text AS state, r.source::text AS source, r.caller,
  r.labels, r.deadline, r.max_rounds AS "maxRounds", r.created_at AS "createdAt", r.finished_at AS "finishedAt",
  r.cancel_requested_at AS "cancelRequestedAt", r.replay_of AS "replayOf", r.resolved,
  r.accepted_at AS "acceptedAt", r.promised, r.total, r.waiting, r.sending, r.unknown, r.accepted, r.succeeded, r.scan_failed AS "scanFailed",
  r.not_failed AS "notFailed", r.not_found AS "notFound", r.rejected, r.exhausted, r.expired, r.cancelled, r.unverified`;

@Injectable()
export class RequestReader {
  constructor(private readonly prisma: PrismaService) {}

  /** @throws DomainError `not_found`, also for what belongs to other projects */
  async find(id: string, principal: Principal): Promise<RequestDto> {
    return toRequest(await this.row(id, principal));
  }

  /** As its submission was answered, whatever has happened since. */
  async findAsAccepted(id: string, principal: Principal): Promise<RequestDto> {
    const row = await this.row(id, principal);
    return asAccepted(toRequest(row), row.promised);
  }

  /** What its targets were asked for with. */
  async scanTypes(id: string, principal: Principal): Promise<ScanType[]> {
    return fromMask((await this.row(id, principal)).scanTypes) ?? [];
  }

  private async row(id: string, principal: Principal): Promise<RequestRow> {
    const [row] = await this.prisma.$queryRaw<RequestRow[]>`
      SELECT ${COLUMNS} FROM any_request AS r JOIN scan_task AS s ON s.id = r.scan_task_id WHERE r.id = ${id}::uuid`;
    return own(row, principal);
  }

  /** Newest first. */
  async list(filter: RequestFilter, principal: Principal): Promise<Page<RequestDto>> {
    const after = uuidCursor(filter.cursor);
    const conditions = [
      filter.projectId === undefined ? null : Prisma.sql`r.project_id = ${filter.projectId}`,
      principal.projects === '*' ? null : Prisma.sql`r.project_id = ANY(${[...principal.projects]}::text[])`,
      filter.taskId === undefined
        ? null
        : Prisma.sql`r.scan_task_id IN (SELECT id FROM scan_task WHERE task_id = ${filter.taskId})`,
      filter.state === undefined ? null : Prisma.sql`r.state = ${filter.state}::request_state`,
      filter.source === undefined ? null : Prisma.sql`r.source = ${filter.source}::request_source`,
      after === null ? null : Prisma.sql`r.id < ${after}::uuid`,
    ].filter((condition) => condition !== null);
    const where = conditions.length > 0 ? Prisma.sql`WHERE ${Prisma.join(conditions, ' AND ')}` : Prisma.empty;
    const table = Prisma.raw(filter.state === 'open' ? 'request' : 'any_request');
    const rows = await this.prisma.$queryRaw<RequestRow[]>`
      SELECT ${COLUMNS} FROM ${table} AS r JOIN scan_task AS s ON s.id = r.scan_task_id ${where}
       ORDER BY r.id DESC LIMIT ${filter.limit + 1}::int`;
    return toPage(rows.map(toRequest), filter.limit, ({ id }) => id);
  }
}

/** As it was at the moment of its acceptance: what a repeated Idempotency-Key gets again, whatever has happened since. */
function asAccepted(request: RequestDto, promised: RequestRow['promised']): RequestDto {
  const resolved = request.range === 'specific_cluster';
  const total = resolved ? request.counts.total : 1;
  const none = Object.fromEntries(
    Object.keys(request.counts).map((field) => [field, 0]),
  ) as unknown as RequestCountsDto;
  return {
    ...request,
    state: 'open',
    acceptedAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    resolved,
    estimate: promised && {
      ...promised,
      acceptedAt: promised.acceptedAt === null ? null : new Date(promised.acceptedAt),
    },
    counts: { ...none, total, waiting: total },
  };
}

function toRequest(row: RequestRow): RequestDto {
  const { id, projectId, enterpriseProjectId, taskId, range, state, source, caller, labels, deadline, maxRounds } = row;
  const { createdAt, acceptedAt, finishedAt, cancelRequestedAt, replayOf, resolved } = row;
  return {
    id,
    projectId,
    enterpriseProjectId,
    taskId,
    range,
    priority: priorityAt(row.priority),
    state,
    source,
    caller,
    labels,
    deadline,
    maxRounds,
    createdAt,
    acceptedAt,
    finishedAt,
    cancelRequestedAt,
    replayOf,
    resolved,
    estimate: null,
    counts: toCounts(row),
  };
}

function toCounts(row: RequestRow): RequestCountsDto {
  const { total, waiting, sending, unknown, accepted, succeeded, scanFailed, notFailed, notFound } = row;
  const { rejected, exhausted, expired, cancelled, unverified } = row;
  return {
    total,
    waiting,
    sending,
    unknown,
    accepted,
    succeeded,
    scanFailed,
    notFailed,
    notFound,
    rejected,
    exhausted,
    expired,
    cancelled,
    unverified,
  };
}
