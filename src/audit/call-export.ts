import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import { uuidCursor } from '../platform/http/page.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { CALL_COLUMNS } from './call-reader.js';
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

/** Calls as `GET /v1/calls` shows them, in the order of their ids. */
@Injectable()
export class CallExport implements ExportSource {
  readonly columns = [
    ...['id', 'lane', 'credential', 'projectId', 'enterpriseProjectId', 'taskId', 'rangeType', 'clusterCount', 'state'],
    ...['startedAt', 'leaseUntil', 'finishedAt', 'slotFreeAt', 'httpStatus', 'errorCode', 'errorText'],
    ...['upstreamRequestId', 'durationMs', 'decision', 'effect', 'verdictDueAt', 'policyVersion', 'worker'],
    ...['bodySha256', 'requestIds', 'cursor'],
  ];

  constructor(private readonly prisma: RecordPrisma) {}

  scope(filter: ExportFilter): Promise<ExportScope> {
    return scopeBelowHorizon(this.prisma, filter);
  }

  /** `OFFSET 0` keeps Postgres to one look at an index for each row, whatever it thinks of the size of tables. */
  page(scope: ExportScope, after: string | null, limit: number): Promise<readonly string[]> {
    const from = after ?? FIRST_ID;
    const ids = { table: Prisma.sql`call`, columns: Prisma.sql`id`, from };
    return readLines(
      this.prisma,
      Prisma.sql`
      SELECT ${CALL_COLUMNS}, ${within(Prisma.sql`c.started_at`, scope)} AS wanted
        FROM (${idsInOrder(scope, ids, limit + 1)}) AS page
        CROSS JOIN LATERAL (SELECT * FROM call WHERE call.id = page.id OFFSET 0) AS c
        CROSS JOIN LATERAL (SELECT * FROM scan_task WHERE scan_task.id = c.scan_task_id OFFSET 0) AS s
       WHERE page.id <> ${from}::uuid ORDER BY page.id LIMIT ${limit}::int`,
    );
  }

  keyOf(line: Line): string {
    return line['id'] as string;
  }

  keyOfCursor(cursor: string | undefined): string | null {
    return uuidCursor(cursor);
  }

  toRow({ wanted: _wanted, ...call }: Line): Readonly<Record<string, unknown>> {
    return {
      ...call,
      startedAt: momentOf(call['startedAt']),
      leaseUntil: momentOf(call['leaseUntil']),
      finishedAt: momentOf(call['finishedAt']),
      slotFreeAt: momentOf(call['slotFreeAt']),
      verdictDueAt: momentOf(call['verdictDueAt']),
    };
  }
}
