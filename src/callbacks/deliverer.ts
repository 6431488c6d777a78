import { Inject, Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import type { CallbackTurns } from '../ledger/callback-turns.js';
import { CallbackBells } from '../platform/queues/callback-bells.js';
import { Delivery, type StartedTry } from './delivery.js';

/** After the last has been cut off, until what it came to is written down. */
const SETTLE_MS = 1_000;

/** Keeps as many tries out as may be, of whatever is due. */
@Injectable()
export class Deliverer {
  private readonly logger = new Logger(Deliverer.name);
  private readonly out = new Map<Promise<void>, StartedTry>();
  private lastCaller: string | null = null;
  private readonly cutOff = new AbortController();
  private running: Promise<void> | null = null;
  private wanted = false;
  private stopping = false;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly delivery: Delivery,
    private readonly bells: CallbackBells,
  ) {}

  /** Starts what is due, as long as there is room. It waits for no receiver: what ends makes room, and looks again. */
  look(): Promise<void> {
    this.wanted = true;
    this.running ??= this.run();
    return this.running;
  }

  /** Nothing starts any more. What is out may end within this time, and is cut off after it. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    await Promise.race([this.idle(), sleep(graceMs, undefined, { ref: false })]);
    this.cutOff.abort();
    await Promise.race([this.idle(), sleep(SETTLE_MS, undefined, { ref: false })]);
  }

  /** When nobody looks, and nothing is out. */
  async idle(): Promise<void> {
    await this.running?.catch(() => undefined); // Whoever asked for the look hears of it.
    while (this.out.size > 0) await Promise.all(this.out.keys());
  }

  private async run(): Promise<void> {
    // It must not be over before it is known as running.
    await Promise.resolve();
    try {
      while (this.wanted) {
        this.wanted = false;
        await this.fill();
      }
    } finally {
      this.running = null;
    }
  }

  private async fill(): Promise<void> {
    while (!this.stopping && this.out.size < this.config.callbacks.concurrency) {
      const turn = await this.delivery.start(this.turns());
      if (turn.kind === 'nothing') {
        const { now, nextDueAt } = turn;
        if (nextDueAt) await this.bells.ringLater(nextDueAt, nextDueAt.getTime() - now.getTime());
        return;
      }
      this.send(turn.started);
    }
  }

  private send(started: StartedTry): void {
    this.lastCaller = started.caller;
    const ending = this.delivery
      .finish(started, this.cutOff.signal)
      // Its lease ends, and it is tried again: a receiver may get it twice, and knows it by its id.
      .catch((error: unknown) =>
        this.logger.error({ msg: 'a callback failed', requestId: started.requestId, err: error }),
      )
      .then(() => {
        this.out.delete(ending);
        if (!this.stopping) this.lookAgain();
      });
    this.out.set(ending, started);
  }

  private lookAgain(): void {
    this.look().catch((error: unknown) => this.logger.warn({ msg: 'callbacks wait for the next sweep', err: error }));
  }

  /** A caller whose receivers are slow must leave room for the others, and of its receivers each for the others. */
  private turns(): CallbackTurns {
    const { concurrency } = this.config.callbacks;
    const out = [...this.out.values()];
    return {
      fullCallers: withAtLeast(
        Math.ceil(concurrency / 4),
        out.map(({ caller }) => caller),
      ),
      fullOrigins: withAtLeast(
        Math.ceil(concurrency / 8),
        out.map(({ origin }) => origin),
      ),
      lastCaller: this.lastCaller,
    };
  }
}

function withAtLeast(most: number, names: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].filter(([, count]) => count >= most).map(([name]) => name);
}
