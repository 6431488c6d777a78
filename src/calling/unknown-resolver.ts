import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { DomainError } from '../domain/domain-error.js';
import { CallLedger, type CallFacts } from '../ledger/calls.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { EventLedger, type Actor } from '../ledger/events.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { TargetSettler } from './target-settler.js';

/** What an operator says that an unknown call came to. */
export type HandResolution = 'accepted' | 'not_carried_out';

/** Ends the not knowing of a call: by what a lookup found, by an operator's word, or because it cannot be found out. */
@Injectable()
export class UnknownResolver {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly choosing: ChoosingLedger,
    private readonly calls: CallLedger,
    private readonly targets: TargetSettler,
    private readonly events: EventLedger,
  ) {}

  /**
   * The scan task is locked (`awaitTask`).
   * @param taken the targets that the call was carried out for
   * @param lost the targets of which it cannot be found out
   * @param isShown whether a list told it
   * @returns the requests that ended by it; null when the call is not unknown any more
   */
  async resolve(
    tx: Tx,
    call: CallFacts,
    taken: readonly bigint[],
    lost: readonly bigint[] = [],
    isShown = true,
  ): Promise<string[] | null> {
    const { policy } = this.config;
    const some = taken.length > 0;
    const all = taken.length === call.targetIds.length;
    const none = lost.length > 0 ? 'unknown' : 'not_carried_out';
    const state = all ? 'accepted' : some ? 'partly_accepted' : none;
    const verdictDueAt = some ? new Date(call.now.getTime() + policy.verdictTimeoutMs) : null;
    if (!(await this.calls.resolve(tx, call.id, { state, verdictDueAt, isShown: some && isShown }))) return null;
    const waitMs = backoffMs(call.attempts + 1, policy.backoff, Math.random);
    return this.targets.resolve(tx, call, { taken, lost }, new Date(call.now.getTime() + waitMs));
  }

  /** The upstream could not be read for too long. What pages have shown until then counts; the policy is for the rest. */
  giveUp(tx: Tx, call: CallFacts): Promise<string[] | null> {
    const seen = new Set(call.lookupSeen);
    const isLost = this.config.policy.lookup.giveUpAs === 'unverified';
    return this.resolve(tx, call, call.lookupTaken, isLost ? call.targetIds.filter((id) => !seen.has(id)) : []);
  }

  /** @throws DomainError `conflict` where the call is not unknown */
  byHand(callId: string, as: HandResolution, reason: string, actor: Actor): Promise<string[]> {
    return this.prisma.transact(async (tx) => {
      const before = await this.calls.facts(tx, callId);
      if (before) await this.choosing.awaitTask(tx, before.scanTaskId);
      const call = before && (await this.calls.facts(tx, callId));
      const ended = call && (await this.resolve(tx, call, as === 'accepted' ? call.targetIds : [], [], false));
      if (!ended) throw new DomainError('conflict', 'Only a call whose fate is unknown can be resolved by hand.');
      const { laneId, projectId } = call;
      await this.events.record(tx, { kind: 'call.resolved', actor, callId, laneId, projectId, data: { as, reason } });
      return ended;
    });
  }
}
