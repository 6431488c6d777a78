import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';

/** Read at each scrape, from the index of what is due. */
@Injectable()
export class CallbackGauges implements OnModuleInit {
  constructor(
    private readonly prisma: PrismaService,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge(
      'rescan_callbacks_pending',
      'Ended requests whose callback nobody has taken yet',
      [],
      async (gauge) => {
        const [row] = await this.prisma.$queryRaw<{ n: number }[]>`
          SELECT count(*)::int AS n FROM callback WHERE due_at IS NOT NULL`;
        gauge.set(row?.n ?? 0);
      },
    );
  }
}
