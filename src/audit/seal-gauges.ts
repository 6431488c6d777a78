import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';

/** More are not counted: a scrape must stay short however far the sealer is behind. */
const MOST = 100_000;

/** How far the chains are behind the events, read at each scrape. */
@Injectable()
export class SealGauges implements OnModuleInit {
  constructor(
    private readonly prisma: PrismaService,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge(
      'rescan_events_unsealed',
      `Events that no chain has yet; more than ${MOST} are not counted`,
      [],
      async (gauge) => {
        gauge.set((await this.lag()).events);
      },
    );
    this.metrics.gauge('rescan_seal_lag_seconds', 'Age of the first event that no chain has yet', [], async (gauge) => {
      gauge.set((await this.lag()).seconds);
    });
  }

  private async lag(): Promise<{ events: number; seconds: number }> {
    const [row] = await this.prisma.$queryRaw<{ events: number; seconds: number | null }[]>`
      WITH unsealed AS (
        SELECT e.at FROM event AS e
         WHERE (e.tx, e.id) > ((SELECT tx FROM seal_progress), (SELECT event_id FROM seal_progress))
         ORDER BY e.tx, e.id LIMIT ${MOST}::int)
      SELECT count(*)::int AS events, extract(epoch FROM (SELECT rescan_now()) - (SELECT at FROM unsealed LIMIT 1))::float8 AS seconds
        FROM unsealed`;
    return { events: row?.events ?? 0, seconds: Math.max(0, row?.seconds ?? 0) };
  }
}
