import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Job } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppConfig } from '../config/app-config.js';
import { lanesOf, type Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { crashPoint } from '../platform/crash-points.js';
import { BELLS } from '../platform/queues/queue-names.js';
import { ScanTasks } from '../upstream/scan-tasks.js';
import { Lookers } from './lookers.js';

const CLOSE_MS = 1_000;

@Processor(BELLS)
export class BellProcessor extends WorkerHost implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(BellProcessor.name);
  private readonly lanes: ReadonlyMap<string, Lane>;
  private running = false;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly lookers: Lookers,
    private readonly scanTasks: ScanTasks,
  ) {
    super();
    this.lanes = new Map(lanesOf(config).map((lane) => [lane.id, lane]));
  }

  onApplicationBootstrap(): void {
    this.running = true;
    this.worker.concurrency = this.config.workerConcurrency;
  }

  async process(job: Job<unknown>): Promise<void> {
    const lane = this.lanes.get(laneIdOf(job.data));
    if (lane) await this.lookers.look(lane);
    else this.logger.warn({ msg: 'a bell for a lane that this process does not have', jobId: job.id });
  }

  @OnWorkerEvent('error')
  onError(error: Error): void {
    this.logger.warn({ msg: 'the queue is in trouble', err: error });
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job<unknown> | undefined, error: Error): void {
    this.logger.error({ msg: 'a look at a lane failed', data: job?.data, err: error });
  }

  /** Before the database goes: what the calls that are out come to is still written down. */
  async beforeApplicationShutdown(): Promise<void> {
    crashPoint('stop.begun');
    this.lookers.stop();
    await Promise.all([this.scanTasks.close(this.config.shutdownGraceMs), this.lookers.idle()]);
    crashPoint('stop.drained');
    // BullMQ waits for ever for a Redis that never was there; nothing of ours is left to wait for.
    if (this.running) await Promise.race([this.worker.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
  }
}

/** A payload comes from outside: an old version, another program, an old copy of Redis. */
function laneIdOf(data: unknown): string {
  const laneId = (data as { laneId?: unknown } | null)?.laneId;
  return typeof laneId === 'string' ? laneId : '';
}
