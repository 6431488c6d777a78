import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import { encodeCursor, uuidCursor } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { CALL_COLUMNS } from './call-reader.js';
import { CallDto } from './call.dto.js';
import {
  FIRST_ID,
  idsInOrder,
  scopeBelowHorizon,
  within,
  type ExportFilter,
  type ExportPage,
  type ExportScope,
  type ExportSource,
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

  constructor(private readonly prisma: PrismaService) {}

  keyOf(cursor: string | undefined): string | null {
    return uuidCursor(cursor);
  }

  scope(filter: ExportFilter): Promise<ExportScope> {
    return scopeBelowHorizon(this.prisma, filter);
  }

  /** `OFFSET 0` keeps Postgres to one look at an index for each row, whatever it thinks of the size of tables. */
  async page(scope: ExportScope, after: string | null, limit: number): Promise<ExportPage> {
    const from = after ?? FIRST_ID;
    const ids = { table: Prisma.sql`call`, columns: Prisma.sql`id`, from };
    const rows = await this.prisma.$queryRaw<(CallDto & { wanted: boolean })[]>`
      SELECT ${CALL_COLUMNS}, ${within(Prisma.sql`c.started_at`, scope)} AS wanted
        FROM (${idsInOrder(scope, ids, limit + 1)}) AS page
        CROSS JOIN LATERAL (SELECT * FROM call WHERE call.id = page.id OFFSET 0) AS c
        CROSS JOIN LATERAL (SELECT * FROM scan_task WHERE scan_task.id = c.scan_task_id OFFSET 0) AS s
       WHERE page.id <> ${from}::uuid ORDER BY page.id LIMIT ${limit}::int`;
    return { rows: rows.flatMap(toRow), last: rows.at(-1)?.id ?? null };
  }
}

const toRow = ({ wanted, ...call }: CallDto & { wanted: boolean }) =>
  wanted ? [{ ...call, cursor: encodeCursor(call.id) }] : [];
