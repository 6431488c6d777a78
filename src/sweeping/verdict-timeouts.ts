import { Injectable, Logger } from '@nestjs/common';
import { RequestEnds } from '../callbacks/request-ends.js';
import { TargetSettler } from '../calling/target-settler.js';
import { CallLedger } from '../ledger/calls.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { OverdueLedger, type OverdueCall } from '../ledger/overdue.js';
import { WatchPassLedger } from '../ledger/watch-passes.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';

/** Ends the watch over calls that got no verdict in time: their targets end as unverified, and their clusters are free. */
@Injectable()
export class VerdictTimeouts {
  private readonly logger = new Logger(VerdictTimeouts.name);

  constructor(
    private readonly prisma: PrismaService,
    private readonly overdue: OverdueLedger,
    private readonly choosing: ChoosingLedger,
    private readonly calls: CallLedger,
    private readonly targets: TargetSettler,
    private readonly watches: WatchPassLedger,
    private readonly metrics: Metrics,
    private readonly ends: RequestEnds,
  ) {}

  async end(): Promise<void> {
    for (const call of await this.overdue.overdueVerdicts()) {
      // One row that cannot be mended must not keep the others from it.
      await this.endAndTell(call).catch((error: unknown) => {
        this.logger.error({ msg: 'a call without a verdict could not be ended', callId: call.id, err: error });
      });
    }
  }

  private async endAndTell(call: OverdueCall): Promise<void> {
    const { finished, isPhantom } = await this.endOne(call.id);
    if (isPhantom) this.phantomFound(call);
    await this.ends.tell(finished);
    crashPoint('sweep.verdict_ended');
  }

  private phantomFound({ id: callId, laneId }: OverdueCall): void {
    this.metrics.phantomFound();
    this.logger.error({ msg: 'HSS accepted a call that never showed any effect', callId, laneId, alarm: true });
  }

  private endOne(callId: string): Promise<{ finished: string[]; isPhantom: boolean }> {
    return this.prisma.transact(async (tx) => {
      const before = await this.calls.facts(tx, callId);
      if (!before) return { finished: [], isPhantom: false };
      await this.choosing.awaitTask(tx, before.scanTaskId);
      const ended = await this.calls.endWatch(tx, callId);
      // Read again where the lock was waited for: a listing may have named its clusters.
      const call = ended && (await this.calls.facts(tx, callId));
      if (!call) return { finished: [], isPhantom: false };
      const { state, isPhantom } = ended;
      const text = `HSS ${state === 'unknown' ? 'may have accepted' : 'accepted'} the call, and no verdict came in time.`;
      const reason = { code: isPhantom ? 'no_effect' : 'verdict_timeout', text };
      const finished = await this.targets.end(tx, { ...call, state }, { result: 'unverified', reason });
      // Nobody may be reading it: its lane may be closed, or gone.
      await this.watches.forgetIdle(tx, call.scanTaskId);
      return { finished, isPhantom };
    });
  }
}
