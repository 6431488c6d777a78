import { InjectQueue } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobAdder, LATE_MS } from './job-adder.js';
import { BELLS } from './queue-names.js';

/** Ids only: the row in Postgres is the truth, and a payload in a queue goes stale. */
export interface Bell {
  readonly laneId: string;
}

/** A queue that takes longer to answer a simple question is as good as away. */
const HEALTH_MS = 1_000;

/** Rings lanes. A lost bell is rung again by the sweep, so ringing never fails: what was stored is stored. */
@Injectable()
export class Bells {
  private readonly jobs: JobAdder<Bell>;

  constructor(@InjectQueue(BELLS) private readonly queue: Queue<Bell>) {
    this.jobs = new JobAdder(queue, 'the sweep looks after the lanes');
  }

  /**
   * At once, and never de-duplicated: an extra bell costs one short transaction, a swallowed one a second.
   * @returns false while the queue is away
   */
  async ring(laneIds: readonly string[]): Promise<boolean> {
    if (laneIds.length === 0) return true;
    return this.jobs.add(laneIds.map((laneId) => ({ name: 'look', data: { laneId } })));
  }

  /**
   * At a later moment. One job for each lane and moment, by its id: otherwise each of a hundred looks would leave a bell for
   * the same moment, and each of those another hundred. The id is free again as soon as the job has run.
   */
  async ringLater(laneId: string, at: Date, delayMs: number): Promise<void> {
    const jobId = `${laneId}@${at.getTime()}`;
    await this.jobs.add([
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
}
