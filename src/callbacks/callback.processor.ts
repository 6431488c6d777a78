import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import {
  Inject,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Job } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { CALLBACK_BELLS } from '../platform/queues/queue-names.js';
import { Deliverer } from './deliverer.js';

const CLOSE_MS = 1_000;

@Processor(CALLBACK_BELLS)
export class CallbackProcessor
  extends WorkerHost
  implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown
{
  private readonly logger = new Logger(CallbackProcessor.name);
  private running = false;
  private stopped: Promise<void> = Promise.resolve();

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly deliverer: Deliverer,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    this.running = true;
  }

  /** Without a secret the bell is for somebody else, who has one. */
  async process(): Promise<void> {
    if (this.config.callbacks.secrets.length > 0) await this.deliverer.look();
  }

  @OnWorkerEvent('error')
  onError(error: Error): void {
    this.logger.warn({ msg: 'the queue is in trouble', err: error });
  }

  @OnWorkerEvent('failed')
  onFailed(_job: Job<unknown> | undefined, error: Error): void {
    this.logger.error({ msg: 'a look at callbacks failed', err: error });
  }

  /** Now, and not after the calls: both have the same grace. */
  onModuleDestroy(): void {
    this.stopped = this.stop();
  }

  /** Before the database goes. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.stopped;
  }

  private async stop(): Promise<void> {
    await this.deliverer.stop(this.config.shutdownGraceMs);
    // BullMQ waits for ever for a Redis that never was there; nothing of ours is left to wait for.
    if (this.running) await Promise.race([this.worker.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
  }
}
