import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DueCallbacks } from '../callbacks/due-callbacks.js';
import { RequestEnds } from '../callbacks/request-ends.js';
import { CallSettler } from '../calling/call-settler.js';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { noEvidence } from '../domain/call-outcome.js';
import { ListCallLedger } from '../ledger/list-calls.js';
import { OverdueLedger, type OverdueCall } from '../ledger/overdue.js';
import { RequestLedger } from '../ledger/requests.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { Heartbeats } from '../platform/health/heartbeats.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { TimerLoop } from '../platform/timer-loop.js';
import { DueSchedules } from '../schedules/due-schedules.js';
import { DueLanes } from './due-lanes.js';
import { PastRequests } from './past-requests.js';
import { VerdictTimeouts } from './verdict-timeouts.js';

const HOUSEKEEPING_MS = 3_600_000;

/**
 * The level-triggered repair loop: looks at what is, and not at what it was told. A lost bell, a dead worker and a missed time
 * all look the same to it. Several may run: each act is guarded by the row that it changes.
 */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private readonly loop: TimerLoop;
  private housekeepingAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(APP_CONFIG) config: AppConfig,
    private readonly clock: Clock,
    private readonly heartbeats: Heartbeats,
    private readonly prisma: PrismaService,
    private readonly dueLanes: DueLanes,
    private readonly dueCallbacks: DueCallbacks,
    private readonly overdue: OverdueLedger,
    private readonly lists: ListCallLedger,
    private readonly requests: RequestLedger,
    private readonly settler: CallSettler,
    private readonly verdictTimeouts: VerdictTimeouts,
    private readonly schedules: DueSchedules,
    private readonly metrics: Metrics,
    private readonly ends: RequestEnds,
    private readonly past: PastRequests,
  ) {
    this.loop = new TimerLoop(
      config.sweepMs,
      () => this.sweep(),
      (error) => this.logger.error({ msg: 'a sweep failed, the next one goes on', err: error }),
    );
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** Each part by itself: one that fails must not keep the others from their work. */
  async sweep(): Promise<void> {
    const parts = [
      () => this.endExpiredLeases(),
      () => this.verdictTimeouts.end(),
      () => this.endExpiredRequests(),
      () => this.schedules.take(),
      () => this.dueLanes.ring(),
      () => this.dueCallbacks.ring(),
      () => this.past.move(),
      () => this.housekeeping(),
    ];
    let failed = 0;
    for (const part of parts) {
      await part().catch((error: unknown) => {
        failed += 1;
        this.logger.error({ msg: 'a part of a sweep failed, the next sweep tries it again', err: error });
      });
    }
    if (failed < parts.length) this.heartbeats.beat('sweep');
  }

  /** Whoever sent it is gone, or cannot write: it may have been carried out. */
  private async endExpiredLeases(): Promise<void> {
    await this.lists.endExpired(this.prisma);
    for (const call of await this.overdue.expiredLeases()) {
      crashPoint('sweep.lease_found');
      await this.attempt({ callId: call.id, laneId: call.laneId }, () => this.endLease(call));
    }
  }

  private async endLease(call: OverdueCall): Promise<void> {
    const outcome = { kind: 'unknown', cause: 'lease_expired', evidence: noEvidence } as const;
    const answer = { outcome, sent: true, durationMs: null, serverDate: null };
    const settled = await this.settler.settle(call.id, call.laneId, answer, this.clock.monotonicMs());
    if (!settled) return;
    crashPoint('sweep.lease_ended');
    this.logger.warn({ msg: 'the lease of a call ended without an answer', callId: call.id, laneId: call.laneId });
    this.metrics.callEnded(call.laneId, outcome, null);
    await this.ends.tell(settled.finishedRequests);
  }

  /** One row that cannot be mended must not keep the others from it. */
  private async attempt(row: object, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      this.logger.error({ msg: 'a row could not be swept, the next sweep tries it again', ...row, err: error });
    });
  }

  private async endExpiredRequests(): Promise<void> {
    for (const id of await this.overdue.expiredRequests()) {
      await this.attempt({ requestId: id }, async () => {
        await this.ends.tell(await this.requests.endWaiting(id));
        crashPoint('sweep.request_ended');
      });
    }
  }

  private async housekeeping(): Promise<void> {
    if (this.clock.monotonicMs() - this.housekeepingAtMs < HOUSEKEEPING_MS) return;
    await this.overdue.ensurePartitions();
    await this.overdue.dropExpiredKeys();
    this.housekeepingAtMs = this.clock.monotonicMs();
  }
}
