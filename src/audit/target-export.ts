import { Injectable } from '@nestjs/common';
import { fromMask } from '../domain/scan-type.js';
import { Prisma } from '../generated/prisma/client.js';
import { decodeCursor } from '../platform/http/page.js';
import { isUuid } from '../platform/http/ids.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import {
  FIRST_ID,
  idsInOrder,
  momentOf,
  readLines,
  scopeBelowHorizon,
  within,
  type ExportFilter,
  type ExportScope,
  type ExportSource,
  type Line,
} from './export-scope.js';

/** Looked at for a page: each has a target at least, and most have many. */
const REQUESTS_A_PAGE = 200;

/** Targets in the order of their requests, and within one in the order of their cluster ids. */
@Injectable()
export class TargetExport implements ExportSource {
  readonly columns = [
    ...['requestId', 'targetId', 'caller', 'projectId', 'enterpriseProjectId', 'taskId', 'clusterId', 'scanTypes'],
    ...[
      'state',
      'result',
      'reasonCode',
      'reasonText',
      'attempts',
      'round',
      'callIds',
      'requestState',
      'requestResolved',
    ],
    ...['requestCreatedAt', 'requestAcceptedAt', 'requestFinishedAt', 'cursor'],
  ];

  constructor(private readonly prisma: RecordPrisma) {}

  scope(filter: ExportFilter): Promise<ExportScope> {
    return scopeBelowHorizon(this.prisma, filter);
  }

  page(scope: ExportScope, after: string | null, limit: number): Promise<readonly string[]> {
    const [request, target] = (after ?? `${FIRST_ID} 0`).split(' ') as [string, string];
    return readLines(
      this.prisma,
      Prisma.sql`
      SELECT r.id AS "requestId", t.id AS "targetId", r.caller, r.project_id AS "projectId",
             s.enterprise_project_id AS "enterpriseProjectId", s.task_id AS "taskId", t.cluster_id AS "clusterId",
             t.scan_types AS "scanTypes", ${STATE} AS state, t.result::text AS result, t.reason_code AS "reasonCode",
             t.reason_text AS "reasonText", t.attempts, t.round, t.call_ids::text[] AS "callIds",
             r.state::text AS "requestState", r.resolved AS "requestResolved", r.created_at AS "requestCreatedAt",
             r.accepted_at AS "requestAcceptedAt", r.finished_at AS "requestFinishedAt", ${within(Prisma.sql`r.created_at`, scope)} AS wanted
        FROM (${requestsFrom(scope, request, limit)}) AS page
        CROSS JOIN LATERAL (SELECT * FROM any_request WHERE id = page.id OFFSET 0) AS r
        CROSS JOIN LATERAL (SELECT * FROM scan_task WHERE scan_task.id = r.scan_task_id OFFSET 0) AS s
        CROSS JOIN LATERAL (
             SELECT * FROM any_target AS t
              WHERE request_id = page.id AND t.id > CASE page.id WHEN ${request}::uuid THEN ${target}::bigint ELSE 0 END
              ORDER BY request_id, t.id LIMIT ${limit}::int) AS t
       ORDER BY page.id, t.id LIMIT ${limit}::int`,
    );
  }

  keyOf(line: Line): string {
    const { requestId, targetId } = line as { requestId: string; targetId: number };
    return `${requestId} ${targetId}`;
  }

  keyOfCursor(cursor: string | undefined): string | null {
    return decodeCursor(cursor, (key) => isUuid(key.slice(0, 36)) && /^ [1-9]\d{0,17}$/.test(key.slice(36)));
  }

  toRow({ wanted: _wanted, ...target }: Line): Readonly<Record<string, unknown>> {
    return {
      ...target,
      scanTypes: fromMask(target['scanTypes'] as number),
      requestCreatedAt: momentOf(target['requestCreatedAt']),
      requestAcceptedAt: momentOf(target['requestAcceptedAt']),
      requestFinishedAt: momentOf(target['requestFinishedAt']),
    };
  }
}

/** As `GET /v1/requests/{id}/targets` names it. */
const STATE = Prisma.sql`
  CASE WHEN t.state <> 'in_call' THEN t.state::text
       ELSE (SELECT CASE state WHEN 'partly_accepted' THEN 'accepted' ELSE state::text END FROM call WHERE call.id = t.call_id) END`;

/** The request that was not read to its end, if any, and as many of the next ones as it takes for a page: the rest is not sorted. */
function requestsFrom(scope: ExportScope, request: string, limit: number): Prisma.Sql {
  const requests = { table: Prisma.sql`any_request`, columns: Prisma.sql`id, total`, from: request };
  const size = Prisma.sql`CASE id WHEN ${request}::uuid THEN 0 ELSE total END`;
  return Prisma.sql`
    SELECT id FROM (SELECT id, sum(${size}) OVER (ORDER BY id) - ${size} AS before
                      FROM (${idsInOrder(scope, requests, REQUESTS_A_PAGE)}) AS next) AS counted
     WHERE before < ${limit}::int ORDER BY id`;
}
