import { Inject, Injectable, Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { callbackError, decideCallback, type CallbackAnswer, type CallbackDecision } from '../domain/callback.js';
import { CallbackTurnLedger, type CallbackTurns, type TakenCallback } from '../ledger/callback-turns.js';
import { CallbackLedger, type EndedRequest } from '../ledger/callbacks.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { processName } from '../platform/process-name.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import { noticeOf } from './notice.js';
import { CallbackSender } from './sender.js';
import { NoticeSigner } from './signer.js';

/** A try that is written down, and may be sent. */
export interface StartedTry extends TakenCallback {
  readonly request: EndedRequest;
}

export type CallbackTurn =
  | { readonly kind: 'started'; readonly started: StartedTry }
  | { readonly kind: 'nothing'; readonly now: Date; readonly nextDueAt: Date | null };

/** One try of one callback: taken, sent, settled. */
@Injectable()
export class Delivery {
  private readonly logger = new Logger(Delivery.name);
  private readonly signer: NoticeSigner;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly turns: CallbackTurnLedger,
    private readonly callbacks: CallbackLedger,
    private readonly sender: CallbackSender,
    private readonly metrics: Metrics,
  ) {
    this.signer = new NoticeSigner(config.callbacks.secrets);
  }

  async start(turns: CallbackTurns): Promise<CallbackTurn> {
    const leaseMs = this.config.callbacks.timeoutMs + this.config.policy.leaseMarginMs;
    const turn = await this.prisma.transact(async (tx): Promise<CallbackTurn> => {
      const taken = await this.turns.takeDue(tx, { leaseMs, turns, worker: processName });
      if (!taken) {
        const { now, at } = await this.turns.nextDueAt(tx);
        return { kind: 'nothing', now, nextDueAt: at };
      }
      const request = await this.callbacks.endedRequest(tx, taken.requestId);
      crashPoint('callback.taken');
      return { kind: 'started', started: { ...taken, request } };
    });
    if (turn.kind === 'started') crashPoint('callback.committed');
    return turn;
  }

  /** @param cutOff ends it where it is: it counts as a try that nobody took */
  async finish(started: StartedTry, cutOff: AbortSignal): Promise<void> {
    const { request, startedAt, caller, url } = started;
    const notice = noticeOf(request);
    const fromMs = this.clock.monotonicMs();
    const headers = this.signer.headers(notice, startedAt);
    const answer = await this.sender.send({ caller, url, headers, body: notice.body }, cutOff);
    const durationMs = Math.round(this.clock.monotonicMs() - fromMs);
    crashPoint('callback.answered');
    const settled = await this.settle(started, answer, durationMs);
    crashPoint('callback.settled');
    this.report(started, answer, durationMs, settled);
  }

  /** Null where its lease has ended meanwhile, and another try counts. */
  private settle(
    started: StartedTry,
    answer: CallbackAnswer,
    durationMs: number,
  ): Promise<{ decision: CallbackDecision; nextTryAt: Date | null } | null> {
    return this.prisma.transact(async (tx) => {
      const locked = await this.callbacks.lockTry(tx, started);
      if (!locked) return null;
      const situation = { tries: started.number, ageMs: locked.ageMs };
      const decision = decideCallback(answer, situation, this.config.callbacks.policy, Math.random);
      const httpStatus = answer.kind === 'answered' ? answer.status : null;
      const end = { httpStatus, error: callbackError(answer), durationMs };
      return { decision, nextTryAt: await this.callbacks.endTry(tx, started, end, decision) };
    });
  }

  /** The URL is in no log: its query may be a secret. */
  private report(
    { requestId, origin, number }: StartedTry,
    answer: CallbackAnswer,
    durationMs: number,
    settled: { decision: CallbackDecision; nextTryAt: Date | null } | null,
  ): void {
    const error = callbackError(answer);
    const outcome = settled?.decision.kind ?? 'late';
    this.metrics.callbackTried(outcome, error);
    this.logger.log({
      msg: `callback ${outcome}`,
      requestId,
      origin,
      number,
      httpStatus: answer.kind === 'answered' ? answer.status : null,
      errorCode: error,
      durationMs,
      nextTryAt: settled?.nextTryAt ?? null,
    });
  }
}
