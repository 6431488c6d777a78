import type { INestApplicationContext } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { CallSettler } from '../../src/calling/call-settler.js';
import { CallStarter, type StartedCall, type Turn } from '../../src/calling/call-starter.js';
import type { Settled } from '../../src/calling/settled.js';
import { UnknownResolver } from '../../src/calling/unknown-resolver.js';
import type { AppConfig, CallLimit, CredentialConfig } from '../../src/config/app-config.js';
import { lanesOf, type Lane } from '../../src/config/lanes.js';
import { Secret } from '../../src/config/secret.js';
import { defaultCallbackPolicy } from '../../src/domain/callback.js';
import { noEvidence, type CallOutcome } from '../../src/domain/call-outcome.js';
import type { Submission } from '../../src/domain/request.js';
import { defaultRetryPolicy, type RetryPolicy } from '../../src/domain/retry-policy.js';
import { AwaitedScanLedger } from '../../src/ledger/awaited-scans.js';
import { CallLedger } from '../../src/ledger/calls.js';
import { ChoosingLedger } from '../../src/ledger/choosing.js';
import { LaneControlLedger } from '../../src/ledger/lane-control.js';
import { LaneLedger } from '../../src/ledger/lanes.js';
import { ListCallLedger } from '../../src/ledger/list-calls.js';
import { ListingWishes } from '../../src/ledger/listing-wishes.js';
import { ListingLedger } from '../../src/ledger/listings.js';
import { LookupLedger } from '../../src/ledger/lookups.js';
import { OverdueLedger } from '../../src/ledger/overdue.js';
import { RequestLedger } from '../../src/ledger/requests.js';
import { FireLedger } from '../../src/ledger/schedule-fires.js';
import { ScheduleLedger } from '../../src/ledger/schedules.js';
import { PrismaService, type Tx } from '../../src/platform/prisma/prisma.service.js';
import { RecordPrisma } from '../../src/platform/prisma/record-prisma.js';
import { DueSchedules } from '../../src/schedules/due-schedules.js';
import { VerdictTimeouts } from '../../src/sweeping/verdict-timeouts.js';
import type { ListCallAnswer } from '../../src/watching/list-answer.js';
import { ListSettler } from '../../src/watching/list-settler.js';
import { ListStarter, type ListTurn, type StartedList } from '../../src/watching/list-starter.js';
import { ListWorks } from '../../src/watching/list-work.js';
import { openRooms } from './rooms.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

export const PROJECT = 'project-1';
export const TASK = 'task-1';
const WINDOW_MS = 60_000;

export interface WorldOptions {
  readonly policy?: Partial<RetryPolicy>;
  readonly credentials?: readonly CredentialConfig[];
  readonly maxOpenTargets?: number;
  /** One that has something in it already; it goes with the world. */
  readonly database?: TestDatabase;
  /** For a test that listens to what Postgres says. */
  readonly connect?: (url: string) => PrismaService;
}

/** A credential that nothing is ever sent with: these tests start and settle calls, and are the upstream themselves. */
export function aCredential(changed: Partial<CredentialConfig> & { retryTask?: CallLimit } = {}): CredentialConfig {
  const limit = { calls: 5, windowMs: WINDOW_MS };
  return {
    name: 'main',
    hssUrl: 'http://127.0.0.1:1',
    iamUrl: 'http://127.0.0.1:1',
    auth: { kind: 'aksk', accessKey: new Secret('ak'), secretKey: new Secret('sk'), securityToken: null },
    projects: '*',
    egress: 'default',
    limits: { retryTask: changed.retryTask ?? limit, listTasks: limit, listTaskResources: limit },
    timeoutMs: 30_000,
    ...changed,
  };
}

/** A target ends once: whoever would give it another result, or take it out of its end, fails. */
const NO_SECOND_RESULT = `
  CREATE FUNCTION refuse_second_result() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'target % had its result already: %', OLD.id, OLD.result; END $$;
  CREATE TRIGGER no_second_result BEFORE UPDATE ON target FOR EACH ROW
     WHEN (OLD.state = 'done' AND (NEW.state, NEW.result) IS DISTINCT FROM (OLD.state, OLD.result))
     EXECUTE FUNCTION refuse_second_result()`;

export const unlimited: CallLimit = { calls: null, windowMs: WINDOW_MS };

/** Of all operations. */
export const noLimits = { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited };

/** The rooms between intake and upstream over a database of their own, with the test in the place of both. */
export class CallingWorld {
  readonly lane: Lane;
  /** Those for retries. */
  readonly lanes: readonly Lane[];
  readonly allLanes: readonly Lane[];
  readonly requests: RequestLedger;
  readonly laneLedger: LaneLedger;
  readonly overdue: OverdueLedger;
  readonly verdicts: VerdictTimeouts;
  readonly lookups: LookupLedger;
  readonly choosing: ChoosingLedger;
  readonly resolver: UnknownResolver;
  readonly lists: ListCallLedger;
  readonly listings: ListingLedger;
  readonly wishes: ListingWishes;
  readonly scans: AwaitedScanLedger;
  readonly works: ListWorks;
  readonly schedules: ScheduleLedger;
  readonly fires: FireLedger;
  readonly dueSchedules: DueSchedules;
  readonly settler: CallSettler;
  readonly calls: CallLedger;
  readonly control: LaneControlLedger;
  #record: RecordPrisma | null = null;
  private readonly listStarter: ListStarter;
  private readonly listSettler: ListSettler;
  private readonly starter: CallStarter;

  private constructor(
    readonly database: TestDatabase,
    readonly prisma: PrismaService,
    readonly config: AppConfig,
    rooms: INestApplicationContext,
  ) {
    this.allLanes = lanesOf(config);
    this.lanes = this.allLanes.filter(({ operation }) => operation === 'retryTask');
    this.lane = this.laneFor('retryTask');
    this.requests = rooms.get(RequestLedger);
    this.laneLedger = rooms.get(LaneLedger);
    this.overdue = rooms.get(OverdueLedger);
    this.verdicts = rooms.get(VerdictTimeouts);
    this.lookups = rooms.get(LookupLedger);
    this.choosing = rooms.get(ChoosingLedger);
    this.resolver = rooms.get(UnknownResolver);
    this.lists = rooms.get(ListCallLedger);
    this.listings = rooms.get(ListingLedger);
    this.wishes = rooms.get(ListingWishes);
    this.scans = rooms.get(AwaitedScanLedger);
    this.works = rooms.get(ListWorks);
    this.schedules = rooms.get(ScheduleLedger);
    this.fires = rooms.get(FireLedger);
    this.dueSchedules = rooms.get(DueSchedules);
    this.settler = rooms.get(CallSettler);
    this.calls = rooms.get(CallLedger);
    this.control = rooms.get(LaneControlLedger);
    this.listStarter = rooms.get(ListStarter);
    this.listSettler = rooms.get(ListSettler);
    this.starter = rooms.get(CallStarter);
  }

  static async open({
    policy = {},
    credentials = [aCredential()],
    maxOpenTargets = 1_000_000,
    connect = (url) => new PrismaService(url, 12),
    database: given,
  }: WorldOptions = {}): Promise<CallingWorld> {
    const database = given ?? (await createTestDatabase());
    const policyOfTest = {
      ...defaultRetryPolicy,
      // Large requests of most tests wait for no listing.
      listing: { ...defaultRetryPolicy.listing, holdMs: 0 },
      // Most tests look at a lane as soon as something is due.
      lingerMs: 0,
      ...policy,
    };
    const config = { ...aConfig(database.url, credentials, policyOfTest), maxOpenTargets };
    const prisma = connect(database.url);
    const world = new CallingWorld(database, prisma, config, await openRooms(config, prisma));
    await world.syncLanes();
    await database.asOwner(NO_SECOND_RESULT);
    // Most tests are not about the first call of a credential.
    await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = true`;
    return world;
  }

  /** As every start does. */
  syncLanes(): Promise<void> {
    return this.laneLedger.sync(
      this.allLanes.map(({ id, operation, credential, limit }) => ({
        id,
        operation,
        credential: credential.name,
        endpoint: credential.hssUrl,
        egress: credential.egress,
        calls: limit.calls,
        windowMs: limit.windowMs,
      })),
    );
  }

  /** As auditors are connected. */
  get record(): RecordPrisma {
    return (this.#record ??= new RecordPrisma(this.database.url, 2));
  }

  async close(): Promise<void> {
    await this.#record?.$disconnect();
    await this.prisma.$disconnect();
    await this.database.drop();
  }

  /** @returns the request's id */
  async aRequest(changed: Partial<Submission> & { caller?: string } = {}): Promise<string> {
    const { caller = 'tester', ...submission } = changed;
    const id = randomUUID();
    const complete: Submission = {
      projectId: PROJECT,
      enterpriseProjectId: '0',
      taskId: TASK,
      range: submission.clusterIds ? 'specific_cluster' : 'all_failed_cluster',
      clusterIds: [],
      scanTypes: [],
      priority: 'normal',
      deadline: null,
      maxRounds: 1,
      labels: {},
      callbackUrl: 'https://caller.example/told',
      ...submission,
    };
    const submitter = { caller, keyId: randomUUID() };
    const { maxAgeMs } = this.config.policy;
    await this.prisma.transact((tx) =>
      this.requests.insert(tx, {
        id,
        submission: complete,
        submitter,
        source: 'api',
        replayOf: null,
        maxAgeMs,
        promised: null,
      }),
    );
    return id;
  }

  look(lane = this.lane): Promise<Turn> {
    return this.starter.start(lane);
  }

  /** A look that must start a call. */
  async start(lane = this.lane): Promise<StartedCall> {
    const turn = await this.look(lane);
    if (turn.kind !== 'started') throw new Error(`nothing was started; next look at ${String(turn.nextLookAt)}`);
    return turn.call;
  }

  settle(
    call: Pick<StartedCall, 'id'>,
    outcome: CallOutcome,
    sent = true,
    lane = this.lane,
    answeredAtMs = performance.now(),
  ): Promise<Settled | null> {
    const answer = { outcome, sent, durationMs: 5, serverDate: null };
    return this.settler.settle(call.id, lane.id, answer, answeredAtMs);
  }

  async startAndSettle(outcome: CallOutcome, lane = this.lane): Promise<StartedCall> {
    const call = await this.start(lane);
    await this.settle(call, outcome, true, lane);
    return call;
  }

  get listLane(): Lane {
    return this.laneFor('listTaskResources');
  }

  laneFor(operation: Lane['operation']): Lane {
    const lane = this.allLanes.find((one) => one.operation === operation);
    if (!lane) throw new Error(`no lane for ${operation}`);
    return lane;
  }

  /** As a request for all failed clusters does. */
  async wantListing(tx: Tx, taskId: string): Promise<void> {
    const { id } = await tx.scanTask.findFirstOrThrow({ where: { taskId }, select: { id: true } });
    const { now } = await this.requests.openTargets(tx, 'nobody');
    await this.wishes.want(tx, id, { now, ...this.config.policy.listing, anew: true });
  }

  lookAtLists(lane = this.listLane): Promise<ListTurn> {
    return this.listStarter.start(lane);
  }

  /** Starts the list call that must be due, and answers it. */
  async list(answer: ListCallAnswer, lane = this.listLane): Promise<StartedList> {
    const turn = await this.lookAtLists(lane);
    if (turn.kind !== 'started') throw new Error(`no list call is due; next look at ${String(turn.nextLookAt)}`);
    await this.settleList(turn.started, answer, lane);
    return turn.started;
  }

  /** The same, where it must be a lookup. */
  async lookUp(answer: ListCallAnswer, lane = this.listLane): Promise<StartedList> {
    const started = await this.list(answer, lane);
    if (started.purpose !== 'lookup') throw new Error(`a ${started.purpose} was due, and no lookup`);
    return started;
  }

  async settleList(started: StartedList, answer: ListCallAnswer, lane = this.listLane): Promise<readonly string[]> {
    return (await this.listSettler.settle(lane, started, answer)).finishedRequests;
  }

  /** The request's counts that are not 0. */
  async counts(requestId: string): Promise<Record<string, number>> {
    const request = await this.prisma.request.findUniqueOrThrow({
      where: { id: requestId },
      omit: { nextDueAt: true },
    });
    const { waiting, sending, unknown, accepted, succeeded, scanFailed, notFailed, notFound, rejected } = request;
    const { exhausted, expired, cancelled, unverified } = request;
    const ends = { succeeded, scanFailed, notFailed, notFound, rejected, exhausted, expired, cancelled, unverified };
    const all = { waiting, sending, unknown, accepted, ...ends };
    return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
  }

  async state(requestId: string): Promise<string> {
    return (await this.prisma.request.findUniqueOrThrow({ where: { id: requestId }, select: { state: true } })).state;
  }

  async targets(
    requestId: string,
  ): Promise<Record<string, { state: string; result: string | null; attempts: number; reasonCode: string | null }>> {
    const rows = await this.prisma.target.findMany({
      where: { requestId },
      omit: { dueAt: true },
      orderBy: { id: 'asc' },
    });
    return Object.fromEntries(
      rows.map(({ clusterId, state, result, attempts, reasonCode }) => [
        clusterId ?? '*',
        { state, result, attempts, reasonCode },
      ]),
    );
  }
}

export const clustersOf = ({ range }: StartedCall): string[] =>
  range.rangeType === 'specific_cluster' ? range.clusters.map(({ clusterId }) => clusterId) : ['*'];

export const clusterIds = (n: number, prefix = 'c'): string[] =>
  Array.from({ length: n }, (_one, index) => `${prefix}-${String(index).padStart(6, '0')}`);

const evidence = noEvidence;
export const answered = {
  accepted: { kind: 'accepted', evidence: { ...evidence, httpStatus: 200 } },
  throttled: { kind: 'throttled', policy: 'user', limit: 5, windowMs: WINDOW_MS, retryAfterMs: null, evidence },
  gatewayDown: { kind: 'unavailable', costsAttempt: false, slow: false, evidence: { ...evidence, httpStatus: 503 } },
  agentOffline: {
    kind: 'unavailable',
    costsAttempt: true,
    slow: true,
    evidence: { ...evidence, httpStatus: 400, errorCode: 'HSS.1007' },
  },
  refused: { kind: 'blocked', by: 'authentication', evidence: { ...evidence, httpStatus: 401 } },
  forbidden: { kind: 'blocked', by: 'endpoint', evidence: { ...evidence, httpStatus: 403 } },
  badCluster: {
    kind: 'rejected',
    blames: 'cluster',
    alarm: false,
    evidence: { ...evidence, httpStatus: 400, errorCode: 'HSS.0001', errorText: 'invalid parameter' },
  },
  badTask: {
    kind: 'rejected',
    blames: 'task',
    alarm: false,
    evidence: { ...evidence, httpStatus: 400, errorCode: 'HSS.0011', errorText: 'not found' },
  },
  lost: { kind: 'unknown', cause: 'timeout', evidence },
  noConnection: { kind: 'not_sent', cause: 'connect', evidence },
} as const satisfies Record<string, CallOutcome>;

function aConfig(url: string, credentials: readonly CredentialConfig[], policy: RetryPolicy): AppConfig {
  return {
    role: 'all',
    http: { host: '127.0.0.1', port: 0 },
    databaseUrl: new Secret(url),
    databasePoolSize: 12,
    pastAfterMs: 7 * 86_400_000,
    redisUrl: null,
    redisEviction: 'refuse',
    startTimeoutMs: 0,
    credentials,
    policy,
    errorClasses: new Map(),
    maxOpenTargets: 1_000_000,
    idempotencyRetentionMs: 86_400_000,
    sweepMs: 1_000,
    workerConcurrency: 8,
    shutdownGraceMs: 1_000,
    callbacks: { secrets: [], allowPrivate: true, concurrency: 16, timeoutMs: 1_000, policy: defaultCallbackPolicy },
    audit: { headIntervalMs: 600_000, signingKey: null },
    logLevel: 'silent',
  };
}
