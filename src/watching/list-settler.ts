import { Inject, Injectable } from '@nestjs/common';
import { LaneSettler } from '../calling/lane-settler.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import type { CallOutcome, ThrottlePolicy } from '../domain/call-outcome.js';
import { decide } from '../domain/decide.js';
import { ChoosingLedger } from '../ledger/choosing.js';
import { LaneLedger } from '../ledger/lanes.js';
import { RedactionLedger } from '../ledger/redactions.js';
import { ListCallLedger } from '../ledger/list-calls.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import type { ListCallAnswer } from './list-answer.js';
import type { StartedList } from './list-starter.js';

export interface ListSettled {
  readonly finishedRequests: readonly string[];
  /** Something is wrong that only an operator can mend. */
  readonly alarm: boolean;
}

/** Draws the consequence of a page, for its lane and for those who waited for it, in one transaction. */
@Injectable()
export class ListSettler {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly lanes: LaneLedger,
    private readonly laneSettler: LaneSettler,
    private readonly choosing: ChoosingLedger,
    private readonly lists: ListCallLedger,
    private readonly redactions: RedactionLedger,
  ) {}

  settle(lane: Lane, started: StartedList, given: ListCallAnswer): Promise<ListSettled> {
    const { job } = started;
    const { outcome } = given;
    const scope: ThrottlePolicy = outcome.kind === 'throttled' ? outcome.policy : 'user';
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, lane.id, scope);
      if (job.scanTaskId !== null) await this.choosing.awaitTask(tx, job.scanTaskId);
      const answer: ListCallAnswer = {
        ...given,
        outcome: await this.redactions.withoutRedacted(tx, given.outcome),
      } as ListCallAnswer;
      const ended = await this.endListCall(tx, lane, started, answer);
      if (!ended) return { finishedRequests: [], alarm: false };
      crashPoint('list.ended');
      return { finishedRequests: await job.apply(tx, answer, ended.now), alarm: ended.alarm };
    });
  }

  /** Null where somebody else has ended it. */
  private async endListCall(
    tx: Tx,
    lane: Lane,
    { listId, startedAt }: StartedList,
    { outcome, sent, durationMs }: ListCallAnswer,
  ): Promise<{ now: Date; alarm: boolean } | null> {
    const retried: CallOutcome = outcome.kind === 'read' ? { kind: 'accepted', evidence: outcome.evidence } : outcome;
    const facts = { ...(await this.lanes.facts(tx, lane.id)), startedAt };
    const context = { ...facts, rangeType: 'specific_cluster', clusterCount: 1, attempts: 0, sent } as const;
    const decision = decide(retried, context, this.config.policy, Math.random);
    const ended = await this.lists.end(tx, listId, {
      state: outcome.kind,
      evidence: outcome.evidence,
      now: facts.now,
      slotFreeAt: new Date(facts.now.getTime() + (decision.slot === 'now' ? 0 : lane.limit.windowMs)),
      rowsRead: outcome.kind === 'read' ? outcome.page.rowsSeen : null,
      durationMs,
    });
    if (!ended) return null;
    await this.laneSettler.apply(tx, facts, decision.lane, retried, sent);
    return { now: facts.now, alarm: decision.alarm };
  }
}
