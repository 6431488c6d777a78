import { Inject, Injectable } from '@nestjs/common';
import { LaneSettler } from '../calling/lane-settler.js';
import { UnknownResolver } from '../calling/unknown-resolver.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import type { CallOutcome, ThrottlePolicy } from '../domain/call-outcome.js';
import { decide } from '../domain/decide.js';
import { CallLedger, type CallFacts } from '../ledger/calls.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { LaneLedger } from '../ledger/lanes.js';
import { LookupLedger, type LookupProgress } from '../ledger/lookups.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { askedAlone, judge, onlyOf, type LookupPage } from './judge.js';
import type { LookupAnswer } from './lookup-answer.js';
import type { StartedLookup } from './lookup-starter.js';

/** Draws the consequence of a page: what it tells of an unknown call's clusters, or that the upstream cannot be read just now. */
@Injectable()
export class LookupSettler {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly lanes: LaneLedger,
    private readonly laneSettler: LaneSettler,
    private readonly choosing: ChoosingLedger,
    private readonly calls: CallLedger,
    private readonly lookups: LookupLedger,
    private readonly resolver: UnknownResolver,
  ) {}

  /** @returns the requests that ended by it */
  settle(lane: Lane, started: StartedLookup, answer: LookupAnswer): Promise<string[]> {
    const { lookup } = started;
    const { outcome } = answer;
    const scope: ThrottlePolicy = outcome.kind === 'throttled' ? outcome.policy : 'user';
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, lane.id, scope);
      await this.choosing.awaitTask(tx, lookup.scanTaskId);
      const call = await this.calls.facts(tx, lookup.callId);
      if (!call || !(await this.endListCall(tx, lane, started, call, answer))) return [];
      crashPoint('lookup.ended');
      if (call.state !== 'unknown' || !call.watched) return [];
      if (outcome.kind !== 'read') return this.notRead(tx, call);
      return this.read(tx, call, started, outcome.page, answer.clockOffsetMs ?? call.clockOffsetMs);
    });
  }

  private async endListCall(
    tx: Tx,
    lane: Lane,
    { listId, startedAt }: StartedLookup,
    call: CallFacts,
    { outcome, sent, durationMs }: LookupAnswer,
  ): Promise<boolean> {
    const { now } = call;
    const retried: CallOutcome = outcome.kind === 'read' ? { kind: 'accepted', evidence: outcome.evidence } : outcome;
    const facts = { ...(await this.lanes.facts(tx, lane.id)), startedAt, now };
    const context = { ...facts, rangeType: call.rangeType, clusterCount: 1, attempts: 0, sent };
    const decision = decide(retried, context, this.config.policy, Math.random);
    const ended = await this.lookups.endListCall(tx, listId, {
      state: outcome.kind,
      evidence: outcome.evidence,
      now,
      slotFreeAt: new Date(now.getTime() + (decision.slot === 'now' ? 0 : lane.limit.windowMs)),
      rowsRead: outcome.kind === 'read' ? outcome.page.rowsSeen : null,
      durationMs,
    });
    if (ended) await this.laneSettler.apply(tx, facts, decision.lane, retried, sent);
    return ended;
  }

  /** One page more; the last one decides, or the one on which the last cluster of the call is found. */
  private async read(
    tx: Tx,
    call: CallFacts,
    { lookup, clusterId }: StartedLookup,
    page: LookupPage,
    clockOffsetMs: number,
  ): Promise<string[]> {
    const clusters = await this.calls.clusters(tx, call.id);
    // A page that comes late answers a question that another lookup has asked again, and perhaps another one than is asked now.
    const asked = askedAlone(clusters, call);
    if (lookup.offset !== call.lookupOffset || clusterId !== (asked?.clusterId ?? null)) return [];
    const progress = judge(call, clusters, onlyOf(lookup.taskId, page), clockOffsetMs);
    if (progress.complete) {
      const finished = (await this.resolver.resolve(tx, call, progress.taken)) ?? [];
      crashPoint('lookup.resolved');
      return finished;
    }
    if (progress.isStuck) return this.waitLonger(tx, call, progress);
    await this.lookups.keepProgress(tx, call.id, progress, call.now);
    return [];
  }

  /** Asked for again at once, those that tell nothing would use up the lane; so the longer it goes on, the longer the wait. */
  private async waitLonger(tx: Tx, call: CallFacts, progress: LookupProgress): Promise<string[]> {
    const { now, lookupUntil } = call;
    if (!lookupUntil || lookupUntil <= now) return (await this.resolver.giveUp(tx, call)) ?? [];
    const { backoff, giveUpAfterMs } = this.config.policy.lookup;
    const soFarMs = now.getTime() - (lookupUntil.getTime() - giveUpAfterMs);
    const waitMs = Math.min(backoff.capMs, Math.max(backoff.baseMs, soFarMs));
    await this.lookups.keepProgress(tx, call.id, progress, new Date(now.getTime() + waitMs));
    return [];
  }

  private async notRead(tx: Tx, call: CallFacts): Promise<string[]> {
    if (call.lookupUntil && call.lookupUntil <= call.now) return (await this.resolver.giveUp(tx, call)) ?? [];
    const tries = await this.lookups.failedTries(tx, call.id);
    const waitMs = backoffMs(tries, this.config.policy.lookup.backoff, Math.random);
    await this.lookups.postpone(tx, call.id, new Date(call.now.getTime() + waitMs));
    return [];
  }
}
