import { InjectQueue } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { JobAdder, LATE_MS } from './job-adder.js';
import { CALLBACK_BELLS } from './queue-names.js';

/** "Callbacks are due." Like the bells of lanes, these hold no truth, and a lost one is rung again by the sweep. */
@Injectable()
export class CallbackBells {
  private readonly jobs: JobAdder<object>;

  constructor(@InjectQueue(CALLBACK_BELLS) queue: Queue<object>) {
    this.jobs = new JobAdder(queue, 'the sweep looks after callbacks');
  }

  /** @returns false while the queue is away */
  ring(): Promise<boolean> {
    return this.jobs.add([{ name: 'look', data: {} }]);
  }

  /** At a later moment: one job for each, by its id. */
  async ringLater(at: Date, delayMs: number): Promise<void> {
    const opts = { jobId: `callbacks@${at.getTime()}`, delay: Math.max(0, Math.ceil(delayMs)) + LATE_MS };
    await this.jobs.add([{ name: 'look', data: {}, opts }]);
  }
}
