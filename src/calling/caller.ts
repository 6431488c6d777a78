import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { RequestEnds } from '../callbacks/request-ends.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { noEvidence } from '../domain/call-outcome.js';
import type { LaneGate } from '../domain/lane.js';
import { clockOffsetMs } from '../domain/upstream-clock.js';
import { CallLedger } from '../ledger/calls.js';
import { LaneLedger } from '../ledger/lanes.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { Bells } from '../platform/queues/bells.js';
import { ScanTasks, type RetryAnswer } from '../upstream/scan-tasks.js';
import { CallReport } from './call-report.js';
import { CallSettler } from './call-settler.js';
import { CallStarter, type StartedCall, type Turn } from './call-starter.js';
import { Lookers, type Looker } from './lookers.js';
import { StartTurns } from './start-turns.js';

/** Calls of one look that may be out at once, and in all: then the other lanes have their turn. */
const MAX_OUT = 8;
const MAX_CALLS_A_LOOK = 24;
/** How long an answer is kept while the database is away. */
const PATIENCE_MS = 5 * 60_000;
/** A new offset of the upstream's clock is written down when it differs by more than this from the one known. */
const CLOCK_STEP_MS = 2_000;

/** Starts, sends and settles what a lane may send now, and leaves a bell for its next useful moment. */
@Injectable()
export class Caller implements Looker, OnModuleInit {
  private readonly logger = new Logger(Caller.name);
  private stopping = false;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly clock: Clock,
    private readonly bells: Bells,
    private readonly lanes: LaneLedger,
    private readonly calls: CallLedger,
    private readonly starter: CallStarter,
    private readonly turns: StartTurns,
    private readonly settler: CallSettler,
    private readonly scanTasks: ScanTasks,
    private readonly report: CallReport,
    private readonly ends: RequestEnds,
    private readonly lookers: Lookers,
  ) {}

  onModuleInit(): void {
    this.lookers.register(['retryTask'], this);
  }

  stop(): void {
    this.stopping = true;
  }

  /** One look at a lane: while its calls are out, the next is started, up to a bound. */
  async look(lane: Lane): Promise<void> {
    const out = new Set<Promise<boolean>>();
    try {
      for (let started = 0; started < MAX_CALLS_A_LOOK && !this.stopping;) {
        if (out.size >= MAX_OUT) await Promise.race(out);
        const turn = await this.turns.take(lane.id, () => this.starter.start(lane));
        if (turn?.kind === 'started') {
          crashPoint('start.committed');
          started += 1;
          const ending = this.finish(lane, turn.call).finally(() => out.delete(ending));
          out.add(ending);
          if (turn.gate.open) continue;
        }
        const nextLookAt = turn && nextLook(turn);
        // Counted from here and not from when the lane was read: a look that comes a little late finds the slots that have become free
        // meanwhile, and sends them all. On time, each would be a look of its own, and at 200 lanes there is no time for these.
        if (nextLookAt) await this.bells.ringLater(lane.id, nextLookAt, nextLookAt.getTime() - turn.now.getTime());
        if (!(await this.oneFrees(out, turn?.gate))) return;
      }
    } finally {
      await Promise.all(out);
    }
    if (!this.stopping) await this.bells.ring([lane.id]);
  }

  /**
   * Waits until the end of a call may have freed the lane: a probe, a credential's first call, targets that come back.
   * Where the lane is closed until a moment, a bell comes by itself, and a call that is accepted changes nothing before it.
   */
  private async oneFrees(out: ReadonlySet<Promise<boolean>>, gate: LaneGate | undefined): Promise<boolean> {
    const rings = gate?.open === false && gate.until !== null;
    while (out.size > 0) {
      const frees = await Promise.race(out);
      if (frees || !rings) return true;
    }
    return false;
  }

  /** @returns whether the lane may send something by it that it could not before */
  private async finish(lane: Lane, call: StartedCall): Promise<boolean> {
    const answer = await this.send(call);
    const answeredAtMs = this.clock.monotonicMs();
    crashPoint('send.answered');
    const { outcome } = answer;
    if (outcome.kind === 'blocked' && outcome.by === 'authentication') this.scanTasks.renewCredential(call.credential);
    try {
      const settled = await this.settlePatiently(call, lane, answer, answeredAtMs);
      crashPoint('settle.committed');
      this.report.settled(lane, call, answer, settled);
      await this.ends.tell(settled?.finishedRequests ?? []);
      await this.keepClockOffset(call, answer, answeredAtMs - call.leasedAtMs);
      return outcome.kind !== 'accepted';
    } catch (error) {
      // Its lease ends, the sweep finds it unknown, and it is looked up: never sent again on a guess.
      this.logger.error({ msg: 'a call could not be settled', callId: call.id, laneId: lane.id, err: error });
      return false;
    }
  }

  private async send(call: StartedCall): Promise<RetryAnswer> {
    if (this.stopping) return stopped;
    const { policy } = this.config;
    /** What the lease has beyond the time-outs may pass before the first byte, and no more. */
    const mayStart = (): boolean => !this.stopping && this.clock.monotonicMs() - call.leasedAtMs < policy.leaseMarginMs;
    crashPoint('send.before');
    return this.scanTasks.retry({ ...call, mayLeave: () => this.mayLeave(call), mayStart });
  }

  /** Asked as late as can be: what has changed since the call was written may keep it here. */
  private async mayLeave(call: StartedCall): Promise<boolean> {
    try {
      return await this.calls.mayLeave(call.id);
    } catch (error) {
      this.logger.warn({ msg: 'a call stays, since the database cannot be asked', callId: call.id, err: error });
      return false;
    }
  }

  /** The answer is known only here, and worth more than one try to write it down; it may come after the end of the lease too. */
  private async settlePatiently(
    call: StartedCall,
    lane: Lane,
    answer: RetryAnswer,
    answeredAtMs: number,
  ): ReturnType<CallSettler['settle']> {
    const triedSinceMs = this.clock.monotonicMs();
    for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        return await this.settler.settle(call.id, lane.id, answer, answeredAtMs);
      } catch (error) {
        const triedMs = this.clock.monotonicMs() - triedSinceMs;
        if (triedMs > (this.stopping ? this.config.shutdownGraceMs : PATIENCE_MS)) throw error;
        this.logger.warn({ msg: 'settling a call again', callId: call.id, err: error });
        await sleep(waitMs);
      }
    }
  }

  private async keepClockOffset(call: StartedCall, { serverDate }: RetryAnswer, elapsedMs: number): Promise<void> {
    if (!serverDate) return;
    const startedAt = new Date(call.at.getTime() - call.clockOffsetMs);
    const offsetMs = clockOffsetMs(serverDate, startedAt, elapsedMs);
    // It is known no better than the answer was quick.
    if (Math.abs(offsetMs - call.clockOffsetMs) > CLOCK_STEP_MS + elapsedMs) {
      await this.lanes.saveClockOffset(call.credential, offsetMs);
    }
  }
}

/** Null: nothing makes another look worth while by itself. */
function nextLook(turn: Turn): Date | null {
  if (turn.kind === 'nothing') return turn.nextLookAt;
  return turn.gate.open ? null : turn.gate.until;
}

const stopped: RetryAnswer = {
  outcome: { kind: 'not_sent', cause: 'shutdown', evidence: noEvidence },
  sent: false,
  durationMs: null,
  serverDate: null,
};
