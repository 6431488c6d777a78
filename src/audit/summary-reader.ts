import { Injectable } from '@nestjs/common';
import { DomainError } from '../domain/domain-error.js';
import { bucketEndMs } from '../domain/time-bucket.js';
import { Prisma } from '../generated/prisma/client.js';
import { toPage, wordCursor } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import type { SummaryGroup } from './summary-group.js';
import { MAX_SUMMARY_DAYS, SpanDto, SummaryDto, SummaryQueryDto, SummaryRowDto } from './summary.dto.js';

const DAY_MS = 24 * 3_600_000;

interface Row extends Omit<SummaryRowDto, 'timeToAccepted' | 'timeToVerdict'> {
  /** Buckets. */
  readonly accepted50: number | null;
  readonly accepted95: number | null;
  readonly verdict50: number | null;
  readonly verdict95: number | null;
}

/** By state, targets stand under their result; an error code belongs to calls, and a reason to targets. */
const KEYS = {
  state: Prisma.sql`state`,
  errorCode: Prisma.sql`code`,
  reason: Prisma.sql`code`,
  caller: Prisma.sql`caller`,
  project: Prisma.sql`project_id`,
  task: Prisma.sql`task_id`,
  hour: Prisma.sql`to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00"Z"')`,
  day: Prisma.sql`to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
} as const satisfies Record<SummaryGroup, Prisma.Sql>;

const IS_TARGET = Prisma.sql`kind = 'target'`;
const IS_SUCCESS = Prisma.sql`kind = 'target' AND state = 'succeeded'`;
const IS_SCANNED = Prisma.sql`kind = 'target' AND state IN ('succeeded', 'scan_failed')`;
const HAS_LEFT = Prisma.sql`kind <> 'target' AND state <> 'not_sent'`;

/**
 * Reads what the sealer has counted by the hour: as many rows for a day, however many calls there were before it. Not as other readers of
 * the record: a plan that does not know how long a time is asked for takes it for short, and these tables have no months to plan for.
 */
@Injectable()
export class SummaryReader {
  constructor(private readonly prisma: PrismaService) {}

  /** @throws DomainError `not_found` for a project of others, `malformed` for a time that is too long or ends before it begins */
  async read(query: SummaryQueryDto, principal: Principal): Promise<SummaryDto> {
    const { groupBy, limit, cursor } = query;
    const until = query.until ?? (await this.now());
    const where = conditions({ ...query, until }, principal);
    const key = KEYS[groupBy];
    const after = wordCursor(cursor);
    const rows = await this.prisma.$queryRaw<Row[]>`
      WITH counted AS MATERIALIZED (
        SELECT ${key} AS key, kind, state, sum(count) AS n, sum(clusters) AS clusters, sum(calls) AS calls
          FROM rollup WHERE ${where} AND kind IN (${Prisma.join(kindsOf(query))})
         GROUP BY 1, kind, state HAVING sum(count) > 0),
      page AS MATERIALIZED (
        SELECT DISTINCT key FROM counted WHERE ${after === null ? Prisma.sql`true` : Prisma.sql`key > ${after}`}
         ORDER BY key LIMIT ${limit + 1}::int),
      figures AS (
        SELECT key, coalesce(sum(n) FILTER (WHERE ${IS_TARGET}), 0)::int AS targets,
               coalesce(jsonb_object_agg(state, n) FILTER (WHERE ${IS_TARGET}), '{}') AS results,
               (coalesce(sum(n) FILTER (WHERE ${IS_SUCCESS}), 0) / sum(n) FILTER (WHERE ${IS_SCANNED}))::float8 AS "successRate",
               (sum(calls) FILTER (WHERE ${IS_SUCCESS}) / sum(n) FILTER (WHERE ${IS_SUCCESS}))::float8 AS "attemptsUntilSuccess",
               coalesce(sum(n) FILTER (WHERE ${HAS_LEFT}), 0)::int AS calls,
               (sum(clusters) FILTER (WHERE ${HAS_LEFT}) / sum(n) FILTER (WHERE ${HAS_LEFT}))::float8 AS "clustersPerCall"
          FROM counted JOIN page USING (key) GROUP BY key),
      timed AS (
        SELECT ${key} AS key, span, bucket, sum(count) AS n FROM rollup_time
         WHERE ${where} AND ${groupBy !== 'errorCode'} GROUP BY 1, span, bucket),
      ranked AS (
        SELECT key, span, bucket, sum(n) OVER (PARTITION BY key, span ORDER BY bucket) / sum(n) OVER (PARTITION BY key, span) AS share
          FROM timed JOIN page USING (key)),
      spans AS (
        SELECT key, min(bucket) FILTER (WHERE span = 'accepted' AND share >= 0.5) AS "accepted50",
               min(bucket) FILTER (WHERE span = 'accepted' AND share >= 0.95) AS "accepted95",
               min(bucket) FILTER (WHERE span = 'verdict' AND share >= 0.5) AS "verdict50",
               min(bucket) FILTER (WHERE span = 'verdict' AND share >= 0.95) AS "verdict95"
          FROM ranked GROUP BY key)
      SELECT * FROM figures LEFT JOIN spans USING (key) ORDER BY key`;
    return toPage(rows.map(toDto), limit, (row) => row.key);
  }

  private async now(): Promise<Date> {
    const [row] = await this.prisma.$queryRaw<{ now: Date }[]>`SELECT rescan_now() AS now`;
    if (!row) throw new Error('a clock without a row');
    return row.now;
  }
}

type Asked = Pick<SummaryQueryDto, 'projectId' | 'taskId' | 'caller' | 'since'> & { readonly until: Date };

function conditions({ projectId, taskId, caller, since, until }: Asked, principal: Principal): Prisma.Sql {
  if (projectId !== undefined) requireProject(projectId, principal);
  const projects = projectId === undefined ? principal.projects : [projectId];
  const begin = since ?? new Date(until.getTime() - DAY_MS);
  const days = (until.getTime() - begin.getTime()) / DAY_MS;
  if (days <= 0) throw new DomainError('malformed', 'since must lie before until.');
  if (days > MAX_SUMMARY_DAYS) {
    throw new DomainError('malformed', `A summary is of at most ${MAX_SUMMARY_DAYS} days: ask for several.`);
  }
  const all = [
    Prisma.sql`hour >= date_trunc('hour', ${begin}::timestamptz, 'UTC') AND hour < ${until}::timestamptz`,
    ...(projects === '*' ? [] : [Prisma.sql`project_id = ANY(${[...projects]}::text[])`]),
    ...(taskId === undefined ? [] : [Prisma.sql`task_id = ${taskId}`]),
    ...(caller === undefined ? [] : [Prisma.sql`caller = ${caller}`]),
  ];
  return Prisma.join(all, ' AND ');
}

function kindsOf({ groupBy, caller }: SummaryQueryDto): Prisma.Sql[] {
  const ofCallers = groupBy === 'caller' || caller !== undefined;
  const calls = ofCallers ? Prisma.sql`'call_of_caller'` : Prisma.sql`'call'`;
  if (groupBy === 'errorCode') return [calls];
  return groupBy === 'reason' ? [Prisma.sql`'target'`] : [calls, Prisma.sql`'target'`];
}

const toDto = ({ accepted50, accepted95, verdict50, verdict95, ...figures }: Row): SummaryRowDto => ({
  ...figures,
  timeToAccepted: toSpan(accepted50, accepted95),
  timeToVerdict: toSpan(verdict50, verdict95),
});

const toSpan = (p50: number | null, p95: number | null): SpanDto | null =>
  p50 === null || p95 === null ? null : { p50: bucketEndMs(p50) / 1_000, p95: bucketEndMs(p95) / 1_000 };
