import { Logger } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';

const ADD_MS = 1_000;

/** A bell that comes a moment early finds nothing, and its id is still taken by itself. */
export const LATE_MS = 5;

/** Adds jobs that may be lost: it never fails, and says once what is wrong. */
export class JobAdder<T> {
  private readonly logger = new Logger(JobAdder.name);
  private failing = false;

  /** @param meanwhile what goes on while the queue is away */
  constructor(
    private readonly queue: Queue<T>,
    private readonly meanwhile: string,
  ) {
    // Without a listener each lost connection would be an exception; adding says what is wrong.
    queue.on('error', () => undefined);
  }

  /** A queue that neither takes a bell nor refuses it must not hold up whoever rings. @returns false while the queue is away */
  async add(jobs: Parameters<Queue<T>['addBulk']>[0]): Promise<boolean> {
    const adding = this.queue.addBulk(jobs).then(
      () => null,
      (error: unknown) => String(error),
    );
    const problem = await Promise.race([adding, sleep(ADD_MS, `no answer within ${ADD_MS} ms`, { ref: false })]);
    if (problem !== null && !this.failing) this.logger.warn(`the queue is away, ${this.meanwhile}: ${problem}`);
    this.failing = problem !== null;
    return problem === null;
  }
}
