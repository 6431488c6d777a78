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
      'rescan_lane_slots_in_use',
      'Calls that count against the window now',
      ['lane'],
      async (gauge) => {
        for (const { id } of lanesOf(this.config)) {
          const { situation } = await this.lanes.read(this.prisma, id);
          gauge.set({ lane: id }, situation.slotsInUse);
        }
      },
    );
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
