import { randomUUID } from 'node:crypto';
import { CallSettler } from '../../src/calling/call-settler.js';
import { CallStarter, type StartedCall, type Turn } from '../../src/calling/call-starter.js';
import { LaneSettler } from '../../src/calling/lane-settler.js';
import { LateAnswers } from '../../src/calling/late-answers.js';
import type { Settled } from '../../src/calling/settled.js';
import { TargetSettler } from '../../src/calling/target-settler.js';
import { UnknownResolver } from '../../src/calling/unknown-resolver.js';
import type { AppConfig, CallLimit, CredentialConfig } from '../../src/config/app-config.js';
import { lanesOf, type Lane } from '../../src/config/lanes.js';
import { Secret } from '../../src/config/secret.js';
import { defaultCallbackPolicy } from '../../src/domain/callback.js';
import { noEvidence, type CallOutcome } from '../../src/domain/call-outcome.js';
import type { Submission } from '../../src/domain/request.js';
import { defaultRetryPolicy, type RetryPolicy } from '../../src/domain/retry-policy.js';
import { CallLedger } from '../../src/ledger/calls.js';
import { ChoosingLedger } from '../../src/ledger/choosing.js';
import { EventLedger } from '../../src/ledger/events.js';
import { FillingLedger } from '../../src/ledger/filling.js';
import { LaneControlLedger } from '../../src/ledger/lane-control.js';
import { LaneLedger } from '../../src/ledger/lanes.js';
import { LeavingLedger } from '../../src/ledger/leaving.js';
import { ListCallLedger } from '../../src/ledger/list-calls.js';
import { ListedLedger } from '../../src/ledger/listed.js';
import { ListingWishes } from '../../src/ledger/listing-wishes.js';
import { ListingLedger } from '../../src/ledger/listings.js';
import { LookupLedger } from '../../src/ledger/lookups.js';
import { OverdueLedger } from '../../src/ledger/overdue.js';
import { ReleasingLedger } from '../../src/ledger/releasing.js';
import { FindingLedger } from '../../src/ledger/fire-findings.js';
import { RequestLedger } from '../../src/ledger/requests.js';
import { FireLedger } from '../../src/ledger/schedule-fires.js';
import { ScheduleLedger } from '../../src/ledger/schedules.js';
import { SuspectLedger } from '../../src/ledger/suspects.js';
import { WholeSetLedger } from '../../src/ledger/whole-sets.js';
import { RetryOutcomeLedger } from '../../src/ledger/retry-outcomes.js';
import { VerdictLedger } from '../../src/ledger/verdicts.js';
import { WatchLedger } from '../../src/ledger/watches.js';
import { WatchPassLedger } from '../../src/ledger/watch-passes.js';
import { TakingBackLedger } from '../../src/ledger/taking-back.js';
import { Clock } from '../../src/platform/clock.js';
import { PrismaService, type Tx } from '../../src/platform/prisma/prisma.service.js';
import { Metrics } from '../../src/platform/telemetry/metrics.js';
import { DueSchedules } from '../../src/schedules/due-schedules.js';
import { FireReader } from '../../src/schedules/fire-reader.js';
import { FireSubmitter } from '../../src/schedules/fire-submitter.js';
import { VerdictTimeouts } from '../../src/sweeping/verdict-timeouts.js';
import type { ListCallAnswer } from '../../src/watching/list-answer.js';
import { ListSettler } from '../../src/watching/list-settler.js';
import { ListStarter, type ListTurn, type StartedList } from '../../src/watching/list-starter.js';
import { ListWorks } from '../../src/watching/list-work.js';
import { ListingReader } from '../../src/watching/listing-reader.js';
import { LookupReader } from '../../src/watching/lookup-reader.js';
import { RunningReader } from '../../src/watching/running-reader.js';
import { VerdictReader } from '../../src/watching/verdict-reader.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

export const PROJECT = 'project-1';
export const TASK = 'task-1';
const WINDOW_MS = 60_000;

export interface WorldOptions {
  readonly policy?: Partial<RetryPolicy>;
  readonly credentials?: readonly CredentialConfig[];
  readonly maxOpenTargets?: number;
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
const NO_SECOND_RESULT = [
  `CREATE FUNCTION refuse_second_result() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'target % had its result already: %', OLD.id, OLD.result; END $$`,
  `CREATE TRIGGER no_second_result BEFORE UPDATE ON target FOR EACH ROW
     WHEN (OLD.state = 'done' AND (NEW.state, NEW.result) IS DISTINCT FROM (OLD.state, OLD.result))
     EXECUTE FUNCTION refuse_second_result()`,
];

export const unlimited: CallLimit = { calls: null, windowMs: WINDOW_MS };

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
  readonly lookups = new LookupLedger();
  readonly choosing = new ChoosingLedger();
  readonly resolver: UnknownResolver;
  readonly lists = new ListCallLedger();
  readonly listings = new ListingLedger();
  readonly wishes = new ListingWishes();
  readonly works = new ListWorks();
  readonly schedules = new ScheduleLedger();
  readonly fires = new FireLedger();
  readonly dueSchedules: DueSchedules;
  private readonly listStarter: ListStarter;
  private readonly listSettler: ListSettler;
  private readonly starter: CallStarter;
  readonly settler: CallSettler;
  readonly calls: CallLedger;
  readonly control: LaneControlLedger;

  private constructor(
    readonly database: TestDatabase,
    readonly prisma: PrismaService,
    readonly config: AppConfig,
  ) {
    const calls = new CallLedger(prisma);
    this.calls = calls;
    this.control = new LaneControlLedger(prisma, new EventLedger());
    const { choosing } = this;
    this.allLanes = lanesOf(config);
    this.lanes = this.allLanes.filter(({ operation }) => operation === 'retryTask');
    this.lane = this.laneFor('retryTask');
    this.requests = new RequestLedger(prisma);
    this.laneLedger = new LaneLedger(prisma);
    this.overdue = new OverdueLedger(prisma);
    const filling = new FillingLedger();
    this.starter = new CallStarter(
      config,
      prisma,
      new Clock(),
      this.laneLedger,
      choosing,
      filling,
      new WholeSetLedger(filling),
      this.wishes,
      calls,
    );
    const watches = new WatchLedger();
    const targets = new TargetSettler(
      config,
      calls,
      new LeavingLedger(),
      new ReleasingLedger(),
      new SuspectLedger(),
      this.wishes,
      watches,
    );
    const laneSettler = new LaneSettler(config, this.laneLedger);
    const late = new LateAnswers(config, calls, new TakingBackLedger(), watches);
    this.settler = new CallSettler(config, prisma, this.laneLedger, laneSettler, choosing, calls, targets, late);
    this.resolver = new UnknownResolver(config, prisma, choosing, calls, targets, new EventLedger());
    const { lists, lookups, listings, laneLedger } = this;
    const { works } = this;
    new LookupReader(config, works, calls, lookups, this.resolver).onModuleInit();
    new ListingReader(config, works, listings, this.wishes, new ListedLedger(), calls, targets).onModuleInit();
    const [findings, { schedules, fires }] = [new FindingLedger(), this];
    const submitter = new FireSubmitter(config, findings, schedules, this.requests, this.wishes);
    new FireReader(config, works, fires, findings, submitter, new Metrics()).onModuleInit();
    this.dueSchedules = new DueSchedules(prisma, schedules, fires, new EventLedger());
    const verdicts = new VerdictLedger();
    new VerdictReader(
      config,
      works,
      new RunningReader(config, watches, verdicts),
      watches,
      new WatchPassLedger(),
      verdicts,
      new ReleasingLedger(),
      new RetryOutcomeLedger(),
      this.wishes,
      new Metrics(),
    ).onModuleInit();
    this.listStarter = new ListStarter(config, prisma, new Clock(), laneLedger, lists, works);
    this.listSettler = new ListSettler(config, prisma, laneLedger, laneSettler, choosing, lists);
    this.verdicts = new VerdictTimeouts(
      prisma,
      this.overdue,
      choosing,
      calls,
      targets,
      new WatchPassLedger(),
      new Metrics(),
    );
  }

  static async open({
    policy = {},
    credentials = [aCredential()],
    maxOpenTargets = 1_000_000,
    connect = (url) => new PrismaService(url, 12),
  }: WorldOptions = {}): Promise<CallingWorld> {
    const database = await createTestDatabase();
    const config = aConfig(database.url, credentials, {
      ...defaultRetryPolicy,
      // Large requests of most tests wait for no listing.
      listing: { ...defaultRetryPolicy.listing, holdMs: 0 },
      // Most tests look at a lane as soon as something is due.
      lingerMs: 0,
      ...policy,
    });
    const world = new CallingWorld(database, connect(database.url), { ...config, maxOpenTargets });
    await world.syncLanes();
    for (const statement of NO_SECOND_RESULT) await world.prisma.$executeRawUnsafe(statement);
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

  async close(): Promise<void> {
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

  settle(call: Pick<StartedCall, 'id'>, outcome: CallOutcome, sent = true, lane = this.lane): Promise<Settled | null> {
    return this.settler.settle(call.id, lane.id, { outcome, sent, durationMs: 5, serverDate: null });
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
    logLevel: 'silent',
  };
}
