import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { TimerLoop } from '../platform/timer-loop.js';
import { HeadPublisher } from './head-publisher.js';
import { Sealer } from './sealer.js';

const EVERY_MS = 1_000;

/** Seals what has come below the horizon, and publishes heads. Any number of them may run: one at a time finds work. */
@Injectable()
export class SealingLoop implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(SealingLoop.name);
  private readonly loop = new TimerLoop(
    EVERY_MS,
    () => this.sealAll(),
    (error) => this.logger.error({ msg: 'events could not be sealed, it is tried again', err: error }),
  );

  constructor(
    private readonly sealer: Sealer,
    private readonly heads: HeadPublisher,
  ) {}

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  private async sealAll(): Promise<void> {
    while (!this.loop.isStopped && (await this.sealer.sealBatch()));
    if (!this.loop.isStopped) await this.heads.publishIfDue();
  }
}
