import { createPostgresBackend, setDefaultBackendFactory, Worker } from 'bullmq';
import type { Processor, QueueOptions, RedisOptions, WorkerOptions } from 'bullmq';
import type { AppConfig } from '../../config/app-config.js';

/** Jobs of BullMQ's Postgres backend live in a schema of their own, beside the truth. */
const QUEUE_SCHEMA = 'bullmq';

/**
 * The queue's options on the backend that the configuration asks for. The backend is a default of the whole process: a
 * process has one.
 */
export function queueOptions(config: Pick<AppConfig, 'redisUrl' | 'databaseUrl'>): QueueOptions {
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: true, attempts: 1 };
  if (config.redisUrl === null) {
    setDefaultBackendFactory(createPostgresBackend as never);
    const connection = { connectionString: config.databaseUrl.reveal(), schema: QUEUE_SCHEMA, migrate: true, max: 3 };
    return { connection, defaultJobOptions };
  }
  setDefaultBackendFactory();
  return { connection: producer(config.redisUrl.reveal()), defaultJobOptions };
}

/** A connection that says nothing for so long, with a command out, is dead, and is made anew. A worker's blocks for five seconds. */
const SILENCE_MS = { producer: 5_000, worker: 15_000 };

/** Fails at once while Redis is away: a submission does not wait for a doorbell. */
const producer = (url: string) => ({
  url,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  socketTimeout: SILENCE_MS.producer,
});

/** Waits for Redis to come back, for as long as it takes. @nestjs/bullmq would hand it the producers' connection. */
export class PatientWorker extends Worker {
  constructor(name: string, processor: Processor, options: WorkerOptions) {
    const connection = {
      ...(options.connection as RedisOptions),
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      socketTimeout: SILENCE_MS.worker,
    };
    super(name, processor, { ...options, connection });
  }
}
