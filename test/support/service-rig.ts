import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { stringify } from 'yaml';
import {
  limitsOff,
  startSimulator,
  type ScenarioInput,
  type Simulator,
  type TaskSpec,
} from '../../src/simulator/simulator.js';
import { ApiClient, type NewRequest } from './api-client.js';
import { findRedis, startRedis, type RedisServer } from './redis-server.js';
import { spawnService, startServiceProcess, type Env, type ServiceProcess } from './service-process.js';
import { createTestFolder } from './test-folder.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

export const QUEUE_BACKENDS = ['redis', 'postgres'] as const;
export type QueueBackend = (typeof QUEUE_BACKENDS)[number];

export interface RigOptions {
  /** By default BullMQ's Postgres backend, as with `npm start` on a machine with Node alone. */
  readonly queue?: QueueBackend;
  readonly scenario?: ScenarioInput;
  /** What differs in each credential from a key for all projects without limits; the first is `main`, and the only one by default. */
  readonly credentials?: readonly object[];
  readonly env?: Env;
}

export interface KeyOptions {
  readonly caller?: string;
  readonly scopes?: readonly string[];
  readonly projects?: readonly string[];
  readonly of?: ServiceProcess;
}

export interface RigTask {
  readonly projectId: string;
  readonly taskId: string;
  readonly clusterIds: readonly string[];
}

const CALLER_SCOPES = ['requests:write', 'requests:read', 'audit:read'];
export const OPERATOR_SCOPES = [...CALLER_SCOPES, 'schedules:write', 'ops'];

export const simulatorKey = { ak: 'E2EACCESSKEY00000001', sk: 'e2e-secret-key-of-no-use-elsewhere' };

/** Waits that a test would have to sit out are short; everything else is as in production. */
const QUICK: Env = {
  SWEEP_INTERVAL: '100ms',
  RETRY_BACKOFF_BASE: '100ms',
  RETRY_BACKOFF_CAP: '400ms',
  LEASE_MARGIN: '3s',
};

/** A database, a queue and an upstream of its own, and as many service processes as a test wants on them. */
export class ServiceRig {
  private readonly services: ServiceProcess[] = [];
  private readonly pool: pg.Pool;

  private constructor(
    readonly database: TestDatabase,
    readonly simulator: Simulator,
    /** Null where the queue lives in Postgres. Its own: tests stop and empty it. */
    readonly redis: RedisServer | null,
    private readonly folder: string,
    private readonly env: Env,
    private readonly clock: { movedMs: number },
  ) {
    this.pool = new pg.Pool({ connectionString: database.url, max: 3 });
    this.pool.on('error', () => undefined); // The database is dropped under it.
  }

  static async open({
    queue = 'postgres',
    scenario = {},
    credentials = [{}],
    env = {},
  }: RigOptions = {}): Promise<ServiceRig> {
    const folder = await createTestFolder('rig');
    const clock = { movedMs: 0 };
    const [database, redis, simulator] = await Promise.all([
      createTestDatabase(),
      queue === 'redis' ? startRedis(findRedis(), folder) : null,
      startSimulator({
        scenario: {
          credentials: [{ name: 'main', projects: '*', accessKey: simulatorKey }],
          limits: limitsOff,
          tasks: [],
          ...scenario,
        },
        clock: () => Date.now() + clock.movedMs,
      }),
    ]);
    const credentialsFile = join(folder, 'credentials.yaml');
    const urls = { hssUrl: simulator.hssUrl, iamUrl: simulator.iamUrl };
    const entries = credentials.map((credential) => ({ ...DEFAULT_CREDENTIAL, ...urls, ...credential }));
    await writeFile(credentialsFile, stringify({ credentials: entries }, { aliasDuplicateObjects: false }));
    return new ServiceRig(
      database,
      simulator,
      redis,
      folder,
      {
        DATABASE_URL: database.url,
        ...(redis && { REDIS_URL: redis.url }),
        CREDENTIALS_FILE: credentialsFile,
        HSS_AK: simulatorKey.ak,
        HSS_SK: simulatorKey.sk,
        ...QUICK,
        ...env,
      },
      clock,
    );
  }

  async start(env: Env = {}): Promise<ServiceProcess> {
    const service = await startServiceProcess({ ...this.env, ...env }, this.folder);
    this.services.push(service);
    return service;
  }

  /** Does not wait for it: a worker is not ready before it has swept. */
  async spawn(env: Env): Promise<void> {
    this.services.push(await spawnService({ ...this.env, ...env }, this.folder));
  }

  /** A client with a fresh key: that of an ordinary caller for all projects, at the first service, where nothing else is said. */
  async client({
    caller = 'team-a',
    scopes = CALLER_SCOPES,
    projects = ['*'],
    of,
  }: KeyOptions = {}): Promise<ApiClient> {
    const service = of ?? this.services[0];
    if (!service) throw new Error('start a service first');
    const key = `rescan_${randomBytes(32).toString('base64url')}`;
    const hash = createHash('sha256').update(key).digest();
    await this.query('INSERT INTO api_key (hash, caller, scopes, projects) VALUES ($1, $2, $3, $4)', [
      hash,
      caller,
      scopes,
      projects,
    ]);
    return new ApiClient(service.url, key);
  }

  operator(options: KeyOptions = {}): Promise<ApiClient> {
    return this.client({ caller: 'operator', scopes: OPERATOR_SCOPES, ...options });
  }

  /** A scan task of which so many clusters failed. */
  task(failedClusters: number, spec: TaskSpec = {}): RigTask {
    const tag = randomUUID().slice(0, 8);
    const clusterIds = Array.from(
      { length: failedClusters },
      (_, index) => `c-${tag}-${String(index).padStart(4, '0')}`,
    );
    const task = { projectId: 'project-1', taskId: `task-${tag}`, ...spec };
    this.simulator.controls.addTasks({ ...task, clusters: clusterIds.map((clusterId) => ({ clusterId })) });
    return { projectId: task.projectId, taskId: task.taskId, clusterIds };
  }

  async query<T extends pg.QueryResultRow = any>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await this.pool.query<T>(sql, values)).rows;
  }

  /** Moves the time of the database and of the upstream. */
  async advance(ms: number): Promise<void> {
    this.clock.movedMs += ms;
    await this.database.advance(ms);
  }

  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.kill()));
    await this.simulator.close();
    await this.redis?.stop();
    await this.pool.end();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const DEFAULT_CREDENTIAL = {
  name: 'main',
  auth: { kind: 'aksk', accessKeyEnv: 'HSS_AK', secretKeyEnv: 'HSS_SK' },
  projects: '*',
  limits: { retryTask: 'unlimited' },
  timeoutMs: 5_000,
};

/** All of a task's clusters by name, or some of them. */
export const retryOf = (task: RigTask, clusterIds: readonly string[] = task.clusterIds): NewRequest => ({
  projectId: task.projectId,
  taskId: task.taskId,
  range: 'specific_cluster',
  clusterIds,
});

export const retryAllOf = (task: RigTask): NewRequest => ({
  projectId: task.projectId,
  taskId: task.taskId,
  range: 'all_failed_cluster',
});

/** A schedule for this scan task that fires by hand alone, and its first fire. */
export async function aFiredSchedule(
  client: ApiClient,
  { projectId, taskId }: RigTask,
): Promise<{ schedules: string; fires: string }> {
  const schedule = { name: `of ${taskId}`, projectId, selection: { taskIds: [taskId] }, every: '6h', enabled: false };
  const { id: schedules } = await client.createSchedule(schedule);
  return { schedules, fires: (await client.fireSchedule(schedules)).id };
}
