import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import type { ThrottlePolicy } from '../domain/call-outcome.js';
import { decide, type Decision } from '../domain/decide.js';
import { CallLedger, type CallEnding, type CallFacts } from '../ledger/calls.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { LaneLedger } from '../ledger/lanes.js';
import { RedactionLedger } from '../ledger/redactions.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import type { RetryAnswer } from '../upstream/scan-tasks.js';
import { LaneSettler } from './lane-settler.js';
import { LateAnswers } from './late-answers.js';
import type { Settled } from './settled.js';
import { TargetSettler } from './target-settler.js';

/** Draws the consequence of an outcome: one decision, recorded in one transaction. */
@Injectable()
export class CallSettler {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly lanes: LaneLedger,
    private readonly laneSettler: LaneSettler,
    private readonly choosing: ChoosingLedger,
    private readonly calls: CallLedger,
    private readonly targets: TargetSettler,
    private readonly late: LateAnswers,
    private readonly redactions: RedactionLedger,
  ) {}

  /**
   * @param answeredAtMs when the answer came, of `Clock.monotonicMs`: its slot is free a window after it, however late it is settled
   * @returns null where nothing is left to be settled, and nothing was changed
   */
  settle(callId: string, laneId: string, given: RetryAnswer, answeredAtMs: number): Promise<Settled | null> {
    const scope: ThrottlePolicy = given.outcome.kind === 'throttled' ? given.outcome.policy : 'user';
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, laneId, scope);
      const answer = { ...given, outcome: await this.redactions.withoutRedacted(tx, given.outcome) };
      const { outcome, sent } = answer;
      crashPoint('settle.locked');
      // Before the database's time is read: measured after it, the slot could be free too early.
      const sinceMs = this.clock.monotonicMs() - answeredAtMs;
      const before = await this.calls.facts(tx, callId);
      if (!before) return null;
      const decision = decide(outcome, { ...before, sent }, this.config.policy, Math.random);
      // A call for a whole task lets others in by its end, whatever it is.
      const isWhole = before.rangeType === 'all_failed_cluster';
      const stays = before.state === 'sending' && decision.targets.kind === 'stay' && !isWhole;
      if (!stays) await this.choosing.awaitTask(tx, before.scanTaskId);
      // Read again where a lock was waited for: a lookup may have been quicker.
      const call = stays ? before : await this.calls.facts(tx, callId);
      if (!call) return null;
      if (!isOpen(call, decision)) return this.late.settle(tx, call, decision);
      if (!(await this.calls.end(tx, call, decision, this.ending(call, decision, answer, sinceMs)))) return null;
      crashPoint('settle.ended');
      await this.laneSettler.apply(tx, call, decision.lane, outcome, sent);
      const finishedRequests = await this.targets.apply(tx, call, decision, outcome);
      crashPoint('settle.applied');
      return { decision, finishedRequests };
    });
  }

  private ending(
    call: CallFacts,
    decision: Decision,
    { outcome, durationMs }: RetryAnswer,
    sinceMs: number,
  ): CallEnding {
    const { verdictTimeoutMs, lookup } = this.config.policy;
    const after = (moment: Date, ms: number): Date => new Date(moment.getTime() + ms);
    const lookupAt = after(new Date(Math.max(call.leaseUntil.getTime(), call.now.getTime())), lookup.graceMs);
    return {
      evidence: outcome.evidence,
      cause: 'cause' in outcome ? outcome.cause : null,
      durationMs,
      // What got no answer may still be under way, and be counted later.
      answeredAt: decision.call === 'unknown' ? call.now : after(call.now, -Math.floor(sinceMs)),
      verdictDueAt: decision.targets.kind === 'stay' ? after(call.now, verdictTimeoutMs) : null,
      lookup: decision.call === 'unknown' ? { dueAt: lookupAt, until: after(lookupAt, lookup.giveUpAfterMs) } : null,
    };
  }
}

/** A call is settled once; one that was found unknown meanwhile, once more by an answer that says something. */
const isOpen = (call: CallFacts, decision: Decision): boolean =>
  call.state === 'sending' || (call.state === 'unknown' && call.watched && decision.call !== 'unknown');
