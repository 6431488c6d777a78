import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, lanesServing, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { MAX_CLUSTERS_PER_CALL } from '../domain/call.js';
import { estimate, type Estimate, type Outlook, type QueuedWork, type Wish } from '../domain/estimate.js';
import { priorityRank } from '../domain/priority.js';
import { LaneLedger } from '../ledger/lanes.js';
import { Clock } from '../platform/clock.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { RequestDto } from './request.dto.js';

/** Of the queue's requests, and of a caller's own, at most so many are counted: an estimate of a longer queue comes out too early. */
const MOST_REQUESTS = 20_000;
/** One look at the lanes and the queue serves all who ask meanwhile. */
const FRESH_MS = 1_000;
const UNKNOWN_LATENCY_MS = 1_000;

/** What is asked about, without what the tables know. */
export interface Asked {
  /** Null: it is not stored yet, and everything of its caller goes before. */
  readonly requestId: string | null;
  readonly projectId: string;
  readonly caller: string;
  readonly priority: number;
  readonly waiting: number;
}

@Injectable()
export class Estimator {
  private readonly lanes: readonly Lane[];
  private readonly looks = new Map<string, { readonly atMs: number; readonly outlook: Promise<Outlook> }>();

  constructor(
    @Inject(APP_CONFIG) config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly ledger: LaneLedger,
    private readonly clock: Clock,
  ) {
    this.lanes = lanesOf(config);
  }

  /** Reads only. The queue costs one look a second, however many ask; what its caller has waiting is counted each time. */
  async estimate(asked: Asked): Promise<Estimate> {
    const lanes = lanesServing(this.lanes, asked.projectId, 'retryTask');
    const outlook = await this.outlook(lanes);
    const own = await this.own(asked, lanes);
    const wish: Wish = { ...asked, ownAhead: own.ahead, dueAt: own.dueAt ?? outlook.now };
    const told = estimate(wish, outlook);
    return own.paused ? { ...told, acceptedAt: null } : told;
  }

  /** Of what still waits of a request; null where nothing does. */
  async ofWaiting({ id, projectId, caller, priority, counts: { waiting } }: RequestDto): Promise<Estimate | null> {
    if (waiting === 0) return null;
    return this.estimate({ requestId: id, projectId, caller, priority: priorityRank(priority), waiting });
  }

  private outlook(lanes: readonly Lane[]): Promise<Outlook> {
    const key = lanes.map(({ id }) => id).join(' ');
    const nowMs = this.clock.monotonicMs();
    const known = this.looks.get(key);
    if (known && nowMs - known.atMs < FRESH_MS) return known.outlook;
    const outlook = this.look(lanes);
    this.looks.set(key, { atMs: nowMs, outlook });
    // What failed is asked for again by the next.
    outlook.catch(() => this.looks.delete(key));
    return outlook;
  }

  private async look(lanes: readonly Lane[]): Promise<Outlook> {
    const { all, projects } = servedBy(lanes);
    const readings = await Promise.all(lanes.map(({ id }) => this.ledger.read(this.prisma, id)));
    const queue = await this.prisma.$queryRaw<QueuedWork[]>`
      SELECT caller, priority, sum(calls)::int AS calls
        FROM (SELECT caller, priority, ceil(sum(waiting)::float8 / ${MAX_CLUSTERS_PER_CALL}::int) AS calls
                FROM (SELECT caller, priority, scan_task_id, waiting FROM request
                       WHERE waiting > 0 AND (${all} OR project_id = ANY(${projects}::text[])) LIMIT ${MOST_REQUESTS}::int) AS waiting
               GROUP BY caller, priority, scan_task_id) AS task
       GROUP BY caller, priority`;
    const [latency] = await this.prisma.$queryRaw<{ ms: number | null }[]>`
      SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS ms
        FROM unnest(${lanes.map(({ id }) => id)}::text[]) AS lane (id)
       CROSS JOIN LATERAL (
             SELECT duration_ms FROM call WHERE lane_id = lane.id AND slot_free_at < 'infinity'
              ORDER BY slot_free_at DESC LIMIT 20) AS recent`;
    return {
      lanes: readings.map(({ situation, windowMs }) => ({ ...situation, windowMs })),
      queue,
      latencyMs: latency?.ms ?? UNKNOWN_LATENCY_MS,
      now: readings[0]?.situation.now ?? new Date(),
    };
  }

  /** The calls of the same caller that go before, and when this one is due. */
  private async own(
    asked: Asked,
    lanes: readonly Lane[],
  ): Promise<{ ahead: number; dueAt: Date | null; paused: boolean }> {
    const { all, projects } = servedBy(lanes);
    const [row] = await this.prisma.$queryRaw<{ ahead: number; dueAt: Date | null; paused: boolean }[]>`
      WITH mine AS (SELECT next_due_at, priority, id FROM request WHERE id = ${asked.requestId}::uuid)
      SELECT (SELECT coalesce(sum(ceil(clusters::float8 / ${MAX_CLUSTERS_PER_CALL}::int)), 0)::int
                FROM (SELECT sum(waiting) AS clusters
                        FROM (SELECT * FROM request WHERE caller = ${asked.caller} AND state = 'open'
                               LIMIT ${MOST_REQUESTS}::int) AS request
                       WHERE waiting > 0 AND (${all} OR project_id = ANY(${projects}::text[]))
                         AND (priority, next_due_at, id)
                             < (${asked.priority}::smallint, coalesce((SELECT next_due_at FROM mine), 'infinity'),
                                coalesce((SELECT id FROM mine), 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
                       GROUP BY scan_task_id) AS task) AS ahead,
             (SELECT next_due_at FROM mine WHERE next_due_at < 'infinity') AS "dueAt",
             EXISTS (SELECT 1 FROM project WHERE id = ${asked.projectId} AND paused_at IS NOT NULL) AS paused`;
    return row ?? { ahead: 0, dueAt: null, paused: false };
  }
}

function servedBy(lanes: readonly Lane[]): { all: boolean; projects: string[] } {
  const lists = lanes.map(({ credential }) => credential.projects);
  return { all: lists.includes('*'), projects: lists.flatMap((list) => (list === '*' ? [] : [...list])) };
}
