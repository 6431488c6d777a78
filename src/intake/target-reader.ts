import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate, waitingForLanes, type WaitingFor } from '../domain/lane.js';
import { fromMask } from '../domain/scan-type.js';
import type { TargetResult, TargetState } from '../domain/target.js';
import { Prisma } from '../generated/prisma/client.js';
import { AWAITS_SCAN } from '../ledger/awaited-scans.js';
import { isFree } from '../ledger/choosing.js';
import { LaneLedger } from '../ledger/lanes.js';
import { bigintCursor, toPage, type Page } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { ScanItemDto, TargetDto } from './target.dto.js';

export interface TargetFilter {
  readonly state?: TargetState;
  readonly result?: TargetResult;
  readonly limit: number;
  readonly cursor?: string;
}

interface TargetRow {
  id: bigint;
  clusterId: string | null;
  scanTypes: number;
  state: TargetState;
  result: TargetResult | null;
  reasonCode: string | null;
  reasonText: string | null;
  scans: ScanItemDto[] | null;
  round: number;
  attempts: number;
  callIds: string[];
  dueAt: Date | null;
  parked: boolean;
  due: boolean;
  awaitsScan: boolean;
}

@Injectable()
export class TargetReader {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly lanes: LaneLedger,
  ) {}

  /** Of one request, which the caller may see; in the order of their cluster ids. */
  async list(requestId: string, projectId: string, filter: TargetFilter): Promise<Page<TargetDto>> {
    const after = bigintCursor(filter.cursor);
    const rows = await this.prisma.$queryRaw<TargetRow[]>`
      SELECT page.*, coalesce(page.said, scan_items_of(page.id)) AS scans
        FROM (
      SELECT * FROM (
        SELECT t.id, t.cluster_id AS "clusterId", t.scan_types AS "scanTypes",
               CASE WHEN t.state <> 'in_call' THEN t.state::text
                    ELSE (SELECT CASE state WHEN 'partly_accepted' THEN 'accepted' ELSE state::text END
                            FROM call WHERE call.id = t.call_id) END AS state,
               t.result::text AS result, t.reason_code AS "reasonCode", t.reason_text AS "reasonText", t.attempts, t.round,
               t.call_ids::text[] AS "callIds", t.scan_items AS said,
               CASE WHEN t.state = 'waiting' THEN nullif(t.due_at, 'infinity') END AS "dueAt",
               t.state = 'waiting' AND (t.due_at = 'infinity' OR ${behindWholeTask(requestId)}) AS parked,
               t.state = 'waiting' AND t.due_at <= (SELECT rescan_now()) AS due, ${AWAITS_SCAN} AS "awaitsScan"
          FROM any_target AS t
         WHERE t.request_id = ${requestId}::uuid
           AND ${after === null ? Prisma.sql`true` : Prisma.sql`t.id > ${after}::bigint`}
           AND ${filter.result === undefined ? Prisma.sql`true` : Prisma.sql`t.result = ${filter.result}::target_result`}
       ) AS shown
       WHERE ${filter.state === undefined ? Prisma.sql`true` : Prisma.sql`state = ${filter.state}`}
       ORDER BY id LIMIT ${filter.limit + 1}::int) AS page ORDER BY id`;
    const dueWaitsFor = rows.some(({ due }) => due) ? await this.waitsFor(requestId, projectId) : 'slot';
    const page = toPage(rows, filter.limit, ({ id }) => id.toString());
    return { ...page, items: page.items.map((row) => toTarget(row, dueWaitsFor)) };
  }

  /** What keeps the due work of a request waiting. */
  private async waitsFor(requestId: string, projectId: string): Promise<WaitingFor> {
    const [row] = await this.prisma.$queryRaw<{ paused: boolean; held: boolean }[]>`
      SELECT project.paused_at IS NOT NULL AS paused, NOT ${isFree(Prisma.sql`(SELECT rescan_now())`)} AS held
        FROM request JOIN project ON project.id = request.project_id WHERE request.id = ${requestId}::uuid`;
    if (row?.paused) return 'pause';
    if (row?.held) return 'listing';
    const lanes = lanesServing(lanesOf(this.config), projectId, 'retryTask');
    const readings = await Promise.all(lanes.map(({ id }) => this.lanes.read(this.prisma, id)));
    return waitingForLanes(readings.map(({ situation }) => laneGate(situation)));
  }
}

/** A live call for the whole task holds all of its clusters, and parks the requests of the task instead of their targets. */
function behindWholeTask(requestId: string): Prisma.Sql {
  return Prisma.sql`(
    SELECT EXISTS (
      SELECT 1 FROM request AS r JOIN scan_task AS s ON s.id = r.scan_task_id
        JOIN live_cluster AS live ON (live.project_id, live.task_id, live.cluster_id) = (s.project_id, s.task_id, '')
       WHERE r.id = ${requestId}::uuid))`;
}

function toTarget(row: TargetRow, dueWaitsFor: WaitingFor): TargetDto {
  return {
    clusterId: row.clusterId,
    scanTypes: fromMask(row.scanTypes),
    state: row.state,
    result: row.result,
    reason: row.reasonCode === null ? null : { code: row.reasonCode, text: row.reasonText },
    scans: row.scans ?? [],
    round: row.round,
    attempts: row.attempts,
    callIds: row.callIds,
    dueAt: row.dueAt,
    waitingFor: waitingFor(row, dueWaitsFor),
  };
}

function waitingFor(row: TargetRow, dueWaitsFor: WaitingFor): WaitingFor | null {
  if (row.state !== 'waiting') return null;
  if (row.parked) return 'live_cluster';
  if (row.due) return dueWaitsFor;
  return row.awaitsScan ? 'scan' : 'backoff';
}
