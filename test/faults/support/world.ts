import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { startSimulator, type LedgerEntry, type Simulator } from '../../../src/simulator/simulator.js';
import { Startup } from '../../../src/quickstart/startup.js';
import { ApiClient } from '../../support/api-client.js';
import type { Random } from '../../support/random.js';
import { Receiver, replies } from '../../support/receiver.js';
import type { Env } from '../../support/service-process.js';
import { openThrowawayFolder, removeLeftovers } from '../../support/throwaway-postgres.js';
import { prepareEvidence, type Terms } from './evidence.js';
import { Link } from './link.js';
import type { LoadTask } from './load.js';
import { Member, type Hooks } from './member.js';
import { FaultPostgres } from './postgres.js';
import { FaultRedis } from './redis.js';

const TIMEOUT_MS = 500;
const MARGIN_MS = 1_000;
/** Connections of one process. */
export const POOL_SIZE = 10;

/** Short, so that a run sees many of everything. */
export const TERMS: Terms & { readonly verdictMs: number } = {
  leaseMs: TIMEOUT_MS + MARGIN_MS,
  graceMs: 300,
  windowMs: 1_000,
  windowCalls: 5,
  // Longer than a lookup's margin and the rounding of `Date`: a scan of the call before must be too old to pass for one of this call.
  verdictMs: 6_000,
};

const POLICY: Env = {
  SWEEP_INTERVAL: '200ms',
  RETRY_BACKOFF_BASE: '100ms',
  RETRY_BACKOFF_CAP: '400ms',
  RETRY_SLOW_BACKOFF_BASE: '100ms',
  RETRY_SLOW_BACKOFF_CAP: '400ms',
  LEASE_MARGIN: `${MARGIN_MS}ms`,
  LOOKUP_GRACE: `${TERMS.graceMs}ms`,
  LOOKUP_BACKOFF_BASE: '200ms',
  LOOKUP_BACKOFF_CAP: '800ms',
  LOOKUP_GIVE_UP_AFTER: '60s',
  LISTING_HOLD: '500ms',
  LISTING_KEEP: '2s',
  VERDICT_POLL: '200ms',
  VERDICT_POLL_CAP: '800ms',
  ROUND_PAUSE: '200ms',
  VERDICT_TIMEOUT: `${TERMS.verdictMs}ms`,
  BREAKER_OPEN: '500ms',
  CREDENTIAL_OPEN: '1s',
  CALLBACK_ALLOW_PRIVATE: 'true',
  CALLBACK_TIMEOUT: `${TIMEOUT_MS}ms`,
  CALLBACK_BACKOFF_BASE: '100ms',
  CALLBACK_BACKOFF_CAP: '400ms',
  SHUTDOWN_GRACE: '1s',
  DATABASE_POOL_SIZE: String(POOL_SIZE),
  // Unsorted, this is what a careless part would log.
  LOG_LEVEL: 'debug',
};

export const CALLERS = ['team-a', 'team-b', 'team-c'] as const;
/** What must be found nowhere. */
export const canary = (): string => `CANARY${randomBytes(12).toString('hex')}`;

export interface WorldOptions {
  /** The upstream's clock minus ours. */
  readonly clockSkewMs?: number;
  readonly env?: Env;
  /** What its members do from their first start on, until all is calm. */
  readonly hooks?: Hooks;
}

/** The whole system on one machine: servers, links, one api and two workers; the upstream is in this process and never killed. */
export class FaultWorld {
  readonly clients: { caller: string; api: ApiClient }[] = [];
  /** Keys, passwords and the like. */
  readonly secrets: string[] = [];
  /** Where a secret passed by. */
  readonly overheard = new Set<string>();
  /** A run went wrong in it: what it holds is not to be judged any more. */
  spoilt = false;
  #tasks = 0;

  private constructor(
    readonly startup: Startup,
    readonly folder: string,
    readonly postgres: FaultPostgres,
    readonly redis: FaultRedis,
    readonly simulator: Simulator,
    readonly receiver: Receiver,
    /** What its notices are signed with. */
    readonly callbackSecret: string,
    readonly toUpstream: Link,
    readonly api: Member,
    readonly workers: readonly [Member, Member],
    private readonly clockSkewMs: number,
  ) {}

  static async open(options: WorldOptions = {}): Promise<FaultWorld> {
    await removeLeftovers();
    const startup = new Startup();
    try {
      return await FaultWorld.#open(startup, options);
    } catch (error) {
      await startup.stop();
      throw error;
    }
  }

  static async #open(startup: Startup, { clockSkewMs = 0, env = {}, hooks }: WorldOptions): Promise<FaultWorld> {
    const folder = await openThrowawayFolder(startup);
    const secretKey = canary();
    const simulator = await startup.add(
      () => startSimulator({ scenario: scenario(secretKey, clockSkewMs) }),
      (running) => running.close(),
    );
    const receiver = await startup.add(
      () => Receiver.open(),
      (running) => running.close(),
    );
    const callbackSecret = `whsec_${randomBytes(32).toString('base64')}`;
    const postgres = await FaultPostgres.start(startup, folder);
    const redis = await startup.add(
      () => FaultRedis.start(folder.path),
      (running) => running.down(),
    );
    const link = (port: number): Promise<Link> =>
      startup.add(
        () => Link.to(port),
        (open) => open.close(),
      );
    const toUpstream = await link(simulator.port);
    const credentialsFile = folder.file('credentials.yaml');
    await writeFile(credentialsFile, credentials(toUpstream.through(simulator.url)));
    const member = async (name: string, role: string): Promise<Member> => {
      const links = { postgres: await link(Number(new URL(postgres.url).port)), redis: await link(redis.port) };
      const own: Env = {
        ROLE: role,
        DATABASE_URL: links.postgres.through(postgres.url),
        REDIS_URL: links.redis.through(redis.url),
        CREDENTIALS_FILE: credentialsFile,
        HSS_AK: AK,
        HSS_SK: secretKey,
        CALLBACK_SECRETS: callbackSecret,
        ...POLICY,
        ...env,
      };
      return startup.add(
        () => Member.create(name, own, links, folder.path),
        (running) => running.kill(),
      );
    };
    const [api, one, two] = [
      await member('api', 'api'),
      await member('worker-1', 'worker'),
      await member('worker-2', 'worker'),
    ];
    const world = new FaultWorld(
      startup,
      folder.path,
      postgres,
      redis,
      simulator,
      receiver,
      callbackSecret,
      toUpstream,
      api,
      [one, two],
      clockSkewMs,
    );
    await world.#prepare([secretKey, callbackSecret, decodeURIComponent(new URL(postgres.url).password)]);
    await Promise.all(world.members.map((started) => started.start(hooks)));
    return world;
  }

  async #prepare(secrets: readonly string[]): Promise<void> {
    await prepareEvidence(this.postgres);
    this.secrets.push(...secrets);
    for (const caller of CALLERS) {
      const key = `rescan_${randomBytes(32).toString('base64url')}`;
      this.secrets.push(key);
      await this.postgres.query('INSERT INTO api_key (hash, caller, scopes, projects) VALUES ($1, $2, $3, $4)', [
        createHash('sha256').update(key).digest(),
        caller,
        ['requests:write', 'requests:read', 'audit:read', 'schedules:write'],
        ['*'],
      ]);
      this.clients.push({ caller, api: new ApiClient(this.api.url, key) });
    }
    // A job is gone before one could look at it in Redis.
    for (const { name, toRedis } of this.members) {
      toRedis.tap = (chunk) => {
        if (this.secrets.some((secret) => chunk.includes(secret))) this.overheard.add(`what ${name} tells Redis`);
      };
    }
  }

  get members(): readonly Member[] {
    return [this.api, ...this.workers];
  }

  get links(): readonly Link[] {
    return [this.toUpstream, ...this.members.flatMap(({ toPostgres, toRedis }) => [toPostgres, toRedis])];
  }

  /** What the upstream saw, in our time. */
  seenUpstream(): LedgerEntry[] {
    return this.simulator.controls.ledger().map((entry) => ({ ...entry, at: entry.at - this.clockSkewMs }));
  }

  /** Whoever is told has bad days as well: a third of all notices is not taken. */
  trouble(random: Random): void {
    const bad = [replies.silence(), replies.reset(), replies.status(500), replies.status(429, { 'retry-after': '1' })];
    this.receiver.reply = (response, received) => {
      const reply = random.chance(0.3) ? random.pick(bad) : replies.status(204);
      reply(response, received);
    };
  }

  /** New ones for each run: what an earlier run did to a cluster is over. */
  tasks(sizes: readonly number[]): LoadTask[] {
    return sizes.map((size, index) => {
      this.#tasks += 1;
      const taskId = `task-${this.#tasks}`;
      const projectId = `project-${index % 2}`;
      const clusterIds = Array.from({ length: size }, (_, place) => `c-${this.#tasks}-${place}`);
      this.simulator.controls.addTasks({ projectId, taskId, clusters: clusterIds.map((clusterId) => ({ clusterId })) });
      return { projectId, taskId, clusterIds };
    });
  }

  /** No fault any more, and every process runs as it should. */
  async calm(): Promise<void> {
    this.simulator.controls.clearFaults();
    this.receiver.reply = replies.status(204);
    for (const link of this.links) link.heal();
    this.redis.signal('SIGCONT');
    await this.redis.up();
    await Promise.all(
      this.members.map(async (member) => {
        if (member.alive && !member.plain) await member.kill();
        if (!member.alive) await member.start();
        else member.signal('SIGCONT');
      }),
    );
  }

  close(): Promise<void> {
    return this.startup.stop();
  }
}

const AK = 'FAULTSACCESSKEY00001';

function scenario(secretKey: string, clockSkewMs: number): object {
  const limit = { calls: TERMS.windowCalls, windowMs: TERMS.windowMs };
  return {
    credentials: [{ name: 'main', projects: '*', accessKey: { ak: AK, sk: secretKey } }],
    limits: { user: limit, ip: null, api: null, operations: {}, retryAfter: false },
    // Nothing succeeds: a cluster that does not fail any more counts as taken, whoever did it, and would tell nothing.
    scans: { minMs: 100, maxMs: 400, successRate: 0, stuckRate: 0, visibleAfterMs: 0 },
    ledger: { maxEntries: 100_000 },
    clockSkewMs,
    tasks: [],
  };
}

function credentials(url: string): string {
  const limit = { calls: TERMS.windowCalls, windowMs: TERMS.windowMs };
  return stringify(
    {
      credentials: [
        {
          name: 'main',
          hssUrl: url,
          iamUrl: url,
          auth: { kind: 'aksk', accessKeyEnv: 'HSS_AK', secretKeyEnv: 'HSS_SK' },
          projects: '*',
          limits: { retryTask: limit, listTasks: { ...limit }, listTaskResources: { ...limit } },
          timeoutMs: TIMEOUT_MS,
        },
      ],
    },
    { aliasDuplicateObjects: false },
  );
}
