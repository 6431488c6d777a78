import { Injectable } from '@nestjs/common';
import { TargetSettler } from '../calling/target-settler.js';
import { CallLedger } from '../ledger/calls.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { OverdueLedger } from '../ledger/overdue.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';

/** Ends the watch over calls that got no verdict in time: their targets end as unverified, and their clusters are free. */
@Injectable()
export class VerdictTimeouts {
  constructor(
    private readonly prisma: PrismaService,
    private readonly overdue: OverdueLedger,
    private readonly choosing: ChoosingLedger,
    private readonly calls: CallLedger,
    private readonly targets: TargetSettler,
    private readonly metrics: Metrics,
  ) {}

  async end(): Promise<void> {
    for (const { id } of await this.overdue.overdueVerdicts()) {
      this.metrics.requestsEnded((await this.endOne(id)).length);
      crashPoint('sweep.verdict_ended');
    }
  }

  private endOne(callId: string): Promise<string[]> {
    return this.prisma.transact(async (tx) => {
      const before = await this.calls.facts(tx, callId);
      if (!before) return [];
      await this.choosing.awaitTask(tx, before.scanTaskId);
      const state = await this.calls.endWatch(tx, callId);
      // Read again where the lock was waited for: a listing may have named its clusters.
      const call = state && (await this.calls.facts(tx, callId));
      if (!call) return [];
      const text = `HSS ${state === 'unknown' ? 'may have accepted' : 'accepted'} the call, and no verdict came in time.`;
      return this.targets.end(
        tx,
        { ...call, state },
        { result: 'unverified', reason: { code: 'verdict_timeout', text } },
      );
    });
  }
}
