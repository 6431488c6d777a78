import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { HeadPublisher } from './head-publisher.js';
import { Sealer } from './sealer.js';

const EVERY_MS = 1_000;

/** Seals what has come below the horizon, and publishes heads. Any number of them may run: one at a time finds work. */
@Injectable()
export class SealingLoop implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(SealingLoop.name);
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly sealer: Sealer,
    private readonly heads: HeadPublisher,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.running = this.sealAll()
        .catch((error: unknown) =>
          this.logger.error({ msg: 'events could not be sealed, it is tried again', err: error }),
        )
        .finally(() => {
          if (!this.stopped) this.schedule();
        });
    }, EVERY_MS);
  }

  private async sealAll(): Promise<void> {
    while (!this.stopped && (await this.sealer.sealBatch()));
    if (!this.stopped) await this.heads.publishIfDue();
  }
}
