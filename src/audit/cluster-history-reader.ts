import { Injectable } from '@nestjs/common';
import { priorityAt } from '../domain/priority.js';
import type { RequestSource } from '../domain/request.js';
import { fromMask } from '../domain/scan-type.js';
import type { TargetResult, TargetState } from '../domain/target.js';
import { Prisma } from '../generated/prisma/client.js';
import { noSuchThing } from '../platform/http/path-id.js';
import { bigintPairCursor, toPage, type Page } from '../platform/http/page.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { ClusterHistoryDto, ClusterHistoryQueryDto, ClusterScanDto, SentInDto } from './cluster-history.dto.js';
import { isFrom, untold } from './newest.js';

interface TargetRow {
  id: bigint;
  scanTaskId: bigint;
  taskId: string;
  enterpriseProjectId: string;
  requestId: string;
  caller: string;
  keyId: string;
  source: RequestSource;
  askedAt: Date;
  priority: number;
  labels: Record<string, string>;
  scanTypes: number;
  timesSent: number;
  callIds: string[];
  round: number;
  attempts: number;
  state: TargetState;
  result: TargetResult | null;
  reasonCode: string | null;
  reasonText: string | null;
  scans: ClusterScanDto[] | null;
}

/** A target that waits long, for a lane that is throttled again and again, may have been in many more. */
const CALLS_SHOWN = 100;

/** Of a bigint. */
const GREATEST = '9223372036854775807';

@Injectable()
export class ClusterHistoryReader {
  constructor(private readonly prisma: RecordPrisma) {}

  /**
   * What became of a cluster for each request that asked for it: the scan task that was asked for last comes first, and of each scan
   * task the newest request.
   * @throws DomainError `not_found`: also for other projects, and where nobody ever asked for the cluster
   */
  async list(
    clusterId: string,
    { projectId, limit, cursor }: ClusterHistoryQueryDto,
    principal: Principal,
  ): Promise<Page<ClusterHistoryDto>> {
    const after = bigintPairCursor(cursor);
    requireProject(projectId, principal);
    const page = toPage(
      await this.targets(clusterId, projectId, after, limit + 1),
      limit,
      ({ scanTaskId, id }) => `${scanTaskId} ${id}`,
    );
    if (page.items.length === 0 && after === null) throw noSuchThing();
    const calls = await this.calls(page.items.flatMap(callsOf));
    return { ...page, items: page.items.map((row) => toEntry(row, calls)) };
  }

  /** From the end of the index of clusters, which has them in this order; rows as wholes, as in `newest`. */
  private targets(
    clusterId: string,
    projectId: string,
    after: readonly [string, string] | null,
    rows: number,
  ): Promise<TargetRow[]> {
    const [scanTaskId, id] = after ?? [GREATEST, GREATEST];
    return this.prisma.$queryRaw<TargetRow[]>`
      SELECT shown.*
        FROM (SELECT t.id, t.request_id FROM any_target AS t
               WHERE ${isFrom([Prisma.sql`t.cluster_id`], untold(Prisma.sql`${clusterId}`))}
                 AND (t.cluster_id, t.scan_task_id, t.id) < (${untold(Prisma.sql`${clusterId}`)}, ${scanTaskId}::bigint, ${id}::bigint)
                 AND (SELECT s.project_id = ${projectId} FROM scan_task AS s WHERE s.id = t.scan_task_id)
               ORDER BY t.cluster_id DESC, t.scan_task_id DESC, t.id DESC LIMIT ${rows}::int) AS found
       CROSS JOIN LATERAL (
             SELECT t.id, t.scan_task_id AS "scanTaskId", s.task_id AS "taskId", s.enterprise_project_id AS "enterpriseProjectId",
                    r.id AS "requestId", r.caller, r.key_id AS "keyId", r.source::text AS source, r.created_at AS "askedAt",
                    t.priority, r.labels, t.scan_types AS "scanTypes", cardinality(t.call_ids) AS "timesSent",
                    t.call_ids[greatest(1, cardinality(t.call_ids) - ${CALLS_SHOWN - 1}::int) :]::text[] AS "callIds",
                    t.round, t.attempts, t.result::text AS result, t.reason_code AS "reasonCode", t.reason_text AS "reasonText",
                    CASE WHEN t.state <> 'in_call' THEN t.state::text
                         ELSE (SELECT CASE state WHEN 'partly_accepted' THEN 'accepted' ELSE state::text END
                                 FROM call WHERE call.id = t.call_id) END AS state,
                    coalesce(t.scan_items, scan_items_of(t.id)) AS scans
               FROM any_target AS t JOIN any_request AS r ON r.id = t.request_id JOIN scan_task AS s ON s.id = t.scan_task_id
              WHERE t.request_id = found.request_id AND t.id = found.id AND r.id = found.request_id OFFSET 0) AS shown
       ORDER BY shown."scanTaskId" DESC, shown.id DESC`;
  }

  private async calls(ids: readonly string[]): Promise<ReadonlyMap<string, Omit<SentInDto, 'own'>>> {
    const calls = await this.prisma.$queryRaw<Omit<SentInDto, 'own'>[]>`
      SELECT id AS "callId", lane_id AS lane, credential, range_type::text AS "rangeType", state::text AS state,
             started_at AS "startedAt", finished_at AS "finishedAt", http_status AS "httpStatus", error_code AS "errorCode",
             error_text AS "errorText", upstream_request_id AS "upstreamRequestId", effect::text AS effect
        FROM call WHERE id = ANY(${[...new Set(ids)]}::uuid[])`;
    return new Map(calls.map((call) => [call.callId, call]));
  }
}

/** In the order of their start: that of their ids. */
const callsOf = ({ callIds, scans }: TargetRow): string[] =>
  [...new Set([...callIds, ...(scans ?? []).map(({ callId }) => callId)])].sort();

function toEntry(row: TargetRow, calls: ReadonlyMap<string, Omit<SentInDto, 'own'>>): ClusterHistoryDto {
  const { taskId, enterpriseProjectId, requestId, caller, keyId, source, labels, askedAt: at } = row;
  const { timesSent, round, attempts, state, result, reasonCode, reasonText } = row;
  const own = new Set(row.callIds);
  return {
    taskId,
    enterpriseProjectId,
    asked: { requestId, caller, keyId, source, at, priority: priorityAt(row.priority), labels },
    scanTypes: fromMask(row.scanTypes),
    timesSent,
    sent: callsOf(row).flatMap((id) => {
      const call = calls.get(id);
      return call ? [{ ...call, own: own.has(id) }] : [];
    }),
    scans: row.scans ?? [],
    round,
    attempts,
    state,
    result,
    reason: reasonCode === null ? null : { code: reasonCode, text: reasonText },
  };
}
