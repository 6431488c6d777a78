import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import type { Decision } from '../domain/decide.js';
import { CallLedger, type CallFacts } from '../ledger/calls.js';
import { applyMoves, lockRequests } from '../ledger/counts.js';
import { TakingBackLedger } from '../ledger/taking-back.js';
import { WatchLedger } from '../ledger/watches.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { Settled } from './settled.js';

/**
 * A worker that wakes up after its call was given up (stopped, blocked, cut off) writes down what it learned, where that still
 * matters: an accepted call takes back the targets that wait because of it. What was sent again meanwhile stays where it is.
 */
@Injectable()
export class LateAnswers {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly calls: CallLedger,
    private readonly takingBack: TakingBackLedger,
    private readonly watches: WatchLedger,
  ) {}

  /** The scan task is locked. */
  async settle(tx: Tx, call: CallFacts, decision: Decision): Promise<Settled | null> {
    const givenUp = call.state === 'not_carried_out' || call.state === 'partly_accepted';
    if (decision.call !== 'accepted' || !givenUp) return null;
    const { moves, targetIds } = await this.takingBack.takeBack(tx, call);
    if (moves.length === 0) return null;
    const verdictDueAt = new Date(call.now.getTime() + this.config.policy.verdictTimeoutMs);
    if (!(await this.calls.acceptLate(tx, call, targetIds, verdictDueAt))) return null;
    await lockRequests(tx, [...new Set(moves.map(({ requestId }) => requestId))]);
    const finishedRequests = await applyMoves(tx, moves);
    await this.watches.begin(tx, call.id, call.now, this.config.policy.verdict.poll);
    return { decision, finishedRequests };
  }
}
