import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { LaneLedger } from '../ledger/lanes.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';

const OPEN_STATES = ['waiting', 'sending', 'unknown', 'accepted'] as const;

type OpenCounts = Record<(typeof OPEN_STATES)[number], number> & { oldestSeconds: number | null };

/** What is now, read at each scrape: from the counts of the open requests, never by counting targets. */
@Injectable()
export class OperationsGauges implements OnModuleInit {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly lanes: LaneLedger,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge('rescan_targets', 'Targets without a result, by state', ['state'], async (gauge) => {
      const counts = await this.openCounts();
      for (const state of OPEN_STATES) gauge.set({ state }, counts[state]);
    });
    this.metrics.gauge(
      'rescan_oldest_waiting_seconds',
      'Age of the oldest request with waiting targets; 0 where none waits',
      [],
      async (gauge) => {
        gauge.set((await this.openCounts()).oldestSeconds ?? 0);
      },
    );
    this.metrics.gauge(
      'rescan_estimate_error_seconds',
      'How much later than promised the last hundred requests were accepted; negative: sooner',
      ['quantile'],
      async (gauge) => {
        for (const [quantile, seconds] of Object.entries(await this.estimateErrors())) gauge.set({ quantile }, seconds);
      },
    );
    this.metrics.gauge(
      'rescan_lane_slots_in_use',
      'Calls that count against the window now',
      ['lane'],
      async (gauge) => {
        const ids = lanesOf(this.config).map(({ id }) => id);
        for (const [lane, { situation }] of await this.lanes.readAll(this.prisma, ids)) {
          gauge.set({ lane }, situation.slotsInUse);
        }
      },
    );
    this.metrics.gauge(
      'rescan_verdict_lag_seconds',
      'How long the scan task that is read next for verdicts has been due; 0 where none is',
      [],
      async (gauge) => {
        gauge.set(await this.verdictLag());
      },
    );
    this.metrics.gauge(
      'rescan_fires_of_a_day',
      'Fires of schedules that were born in the last 24 hours, by state',
      ['state'],
      async (gauge) => {
        for (const [state, n] of Object.entries(await this.firesOfADay())) gauge.set({ state }, n);
      },
    );
  }

  private async verdictLag(): Promise<number> {
    const [row] = await this.prisma.$queryRaw<{ seconds: number | null }[]>`
      SELECT extract(epoch FROM (SELECT rescan_now()) - min(due_at))::float8 AS seconds FROM watch`;
    return Math.max(0, row?.seconds ?? 0);
  }

  private async firesOfADay(): Promise<Record<'open' | 'done' | 'skipped' | 'failed', number>> {
    const rows = await this.prisma.$queryRaw<{ state: string; n: number }[]>`
      SELECT state::text AS state, count(*)::int AS n FROM schedule_fire
       WHERE id > uuidv7(interval '-24 hours') GROUP BY state`;
    const none = { open: 0, done: 0, skipped: 0, failed: 0 };
    return { ...none, ...Object.fromEntries(rows.map(({ state, n }) => [state, n])) };
  }

  private async estimateErrors(): Promise<Record<string, number>> {
    const [row] = await this.prisma.$queryRaw<{ half: number | null; most: number | null }[]>`
      SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late) AS half,
             percentile_cont(0.95) WITHIN GROUP (ORDER BY late) AS most
        FROM (SELECT extract(epoch FROM accepted_at - (promised->>'acceptedAt')::timestamptz)::float8 AS late FROM request
               WHERE accepted_at IS NOT NULL AND cancel_requested_at IS NULL AND rejected + exhausted + expired = 0
               ORDER BY accepted_at DESC LIMIT 100) AS recent`;
    const { half = null, most = null } = row ?? {};
    return half === null || most === null ? {} : { '0.5': half, '0.95': most };
  }

  private async openCounts(): Promise<OpenCounts> {
    const [counts] = await this.prisma.$queryRaw<OpenCounts[]>`
      SELECT coalesce(sum(waiting), 0)::int AS waiting, coalesce(sum(sending), 0)::int AS sending,
             coalesce(sum(unknown), 0)::int AS unknown, coalesce(sum(accepted), 0)::int AS accepted,
             extract(epoch FROM rescan_now() - min(created_at) FILTER (WHERE waiting > 0))::float8 AS "oldestSeconds"
        FROM request WHERE state = 'open'`;
    if (!counts) throw new Error('a sum without a row');
    return counts;
  }
}
