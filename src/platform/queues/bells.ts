import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { BELLS } from './queue-names.js';

/** Ids only: the row in Postgres is the truth, and a payload in a queue goes stale. */
export interface Bell {
  readonly laneId: string;
}

/** A bell that comes a moment early finds nothing, and its id is still taken by itself. */
const LATE_MS = 5;

const RING_MS = 1_000;

/** A queue that takes longer to answer a simple question is as good as away. */
const HEALTH_MS = 1_000;

/** The only one who adds jobs. A lost bell is rung again by the sweep, so ringing never fails: what was stored is stored. */
@Injectable()
export class Bells {
  private readonly logger = new Logger(Bells.name);
  private failing = false;

  constructor(@InjectQueue(BELLS) private readonly queue: Queue<Bell>) {
    // Without a listener each lost connection would be an exception; ringing says what is wrong, once.
    queue.on('error', () => undefined);
  }

  /**
   * At once, and never de-duplicated: an extra bell costs one short transaction, a swallowed one a second.
   * @returns false while the queue is away
   */
  async ring(laneIds: readonly string[]): Promise<boolean> {
    if (laneIds.length === 0) return true;
    return this.add(laneIds.map((laneId) => ({ name: 'look', data: { laneId } })));
  }

  /**
   * At a later moment. One job for each lane and moment, by its id: otherwise each of a hundred looks would leave a bell for
   * the same moment, and each of those another hundred. The id is free again as soon as the job has run.
   */
  async ringLater(laneId: string, at: Date, delayMs: number): Promise<void> {
    const jobId = `${laneId}@${at.getTime()}`;
    await this.add([
      { name: 'look', data: { laneId }, opts: { jobId, delay: Math.max(0, Math.ceil(delayMs)) + LATE_MS } },
    ]);
  }

  /** Whether the queue answers. Where it does not, the sweep does the ringing, and health says `degraded`. */
  async isHealthy(): Promise<boolean> {
    const silent = sleep(HEALTH_MS, false, { ref: false });
    return Promise.race([
      this.queue.getWaitingCount().then(
        () => true,
        () => false,
      ),
      silent,
    ]);
  }

  /** A queue that neither takes a bell nor refuses it must not hold up a submission. */
  private async add(jobs: Parameters<Queue<Bell>['addBulk']>[0]): Promise<boolean> {
    const adding = this.queue.addBulk(jobs).then(
      () => null,
      (error: unknown) => String(error),
    );
    const problem = await Promise.race([adding, sleep(RING_MS, `no answer within ${RING_MS} ms`, { ref: false })]);
    if (problem !== null && !this.failing) {
      this.logger.warn(`the queue is away, the sweep looks after the lanes: ${problem}`);
    }
    this.failing = problem !== null;
    return problem === null;
  }
}
