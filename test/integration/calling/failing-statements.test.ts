import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomUUID } from 'node:crypto';
import type { StartedCall } from '../../../src/calling/call-starter.js';
import { DomainError } from '../../../src/domain/domain-error.js';
import { noEvidence } from '../../../src/domain/call-outcome.js';
import type { Submission } from '../../../src/domain/request.js';
import { Estimator } from '../../../src/intake/estimator.js';
import { IntakeService } from '../../../src/intake/intake.service.js';
import { RequestReader } from '../../../src/intake/request-reader.js';
import { Bells, type Bell } from '../../../src/platform/queues/bells.js';
import { Clock } from '../../../src/platform/clock.js';
import { Metrics } from '../../../src/platform/telemetry/metrics.js';
import type { ListCallAnswer } from '../../../src/watching/list-answer.js';
import {
  aCredential,
  answered,
  CallingWorld,
  clustersOf,
  PROJECT,
  TASK,
  unlimited,
} from '../../support/calling-world.js';
import {
  dropMonths,
  FailingStatements,
  keepRows,
  type Fault,
  type KeptRows,
} from '../../support/failing-statements.js';
import { expectInvariants } from '../../support/invariants.js';
import { clusters, runningTasks, scan, tasks } from '../../support/list-pages.js';
import { aSchedule, failedClusters } from '../../support/schedules.js';
import { aSweeper } from '../../support/sweeper.js';
import { testRedisUrl } from '../../support/test-database.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const LEASE_OVER_MS = 46_000;
/** The end of the lease, and the grace after it. */
const LOOKUP_DUE_MS = 45_000 + 90_000;
const FAULTS: readonly Fault[] = ['fails', 'is done but reported as failed'];

/** Everything that a repeated operation could double or lose; ids, moments and chance are left out. */
const STATE: Readonly<Record<string, string>> = {
  requests: `
    SELECT caller, state::text, total, waiting, sending, unknown, accepted, rejected, exhausted, expired, cancelled, unverified,
           cancel_requested_at IS NOT NULL AS cancel_requested
      FROM request ORDER BY caller`,
  targets: `
    SELECT r.caller, t.cluster_id, t.state::text, t.result::text, t.reason_code, t.attempts, t.split_half,
           cardinality(t.call_ids) AS calls, t.due_at = 'infinity' AS parked,
           t.scan_seen_at IS NOT NULL AS awaits_scan
      FROM target AS t JOIN request AS r ON r.id = t.request_id ORDER BY r.caller, t.cluster_id`,
  calls: `
    SELECT state::text, cluster_count, split_calls_left, verdict_due_at IS NOT NULL AS watched,
           lookup_due_at IS NOT NULL AS looked_for, lookup_offset, cardinality(lookup_seen) AS seen
      FROM call ORDER BY id`,
  liveClusters:
    'SELECT l.cluster_id, c.state::text FROM live_cluster AS l JOIN call AS c ON c.id = l.call_id ORDER BY 1',
  callRequests: 'SELECT count(*)::int FROM call_request',
  watches: 'SELECT step::text, priority FROM watch',
  listCalls: 'SELECT state::text FROM list_call ORDER BY id',
  lanes: 'SELECT id, failure_streak, last_error_code, paused_until IS NOT NULL AS paused FROM lane ORDER BY id',
  schedules: 'SELECT next_due_at, next_fire_at, last_fire_id IS NOT NULL AS has_fired FROM schedule',
  fires: 'SELECT state::text, kind::text, pages, tasks_taken, clusters_taken FROM schedule_fire',
  fireTasks: 'SELECT task_id, state::text, clusters_taken FROM fire_task',
  events: 'SELECT kind, count(*)::int FROM event GROUP BY kind ORDER BY kind',
};

type Work = () => Promise<unknown>;
interface Operation {
  /** Brings about what the operation needs, and returns it. */
  readonly prepare: () => Promise<Work>;
  /** The sweep tells nobody: it tries again. `search`: only where it cannot look for rows; of each row it tells nobody. */
  readonly tells?: false | 'search';
  /** What must hold beyond "as if nothing had happened" where it was committed, and nobody knows. */
  readonly forgotten?: () => Promise<void>;
}

let faults: FailingStatements;
let kept: KeptRows | undefined;
let world: CallingWorld;
let queue: Queue<Bell>;
let bells: Bells;
let sweep: () => Promise<void>;
let intake: IntakeService;

beforeAll(() => {
  queue = new Queue<Bell>(`bells-${randomUUID()}`, { connection: { url: testRedisUrl() } });
  bells = new Bells(queue);
});
/** Nothing is fresh for long: each submission looks at the queue anew, and is made of the same statements. */
class HastyClock extends Clock {
  private ms = 0;

  override monotonicMs(): number {
    this.ms += 60_000;
    return this.ms;
  }
}

beforeEach(async () => {
  faults = new FailingStatements();
  world = await CallingWorld.open({
    credentials: [aCredential({ retryTask: unlimited })],
    connect: faults.connect,
  });
  const sweeper = aSweeper(world, bells);
  sweep = () => sweeper.sweep();
  // The first sweep of a process also keeps house.
  await sweep();
  await dropMonths(world.database);
  const reader = new RequestReader(world.prisma);
  const estimator = new Estimator(world.config, world.prisma, world.laneLedger, new HastyClock());
  intake = new IntakeService(
    world.config,
    world.prisma,
    world.requests,
    reader,
    world.wishes,
    estimator,
    bells,
    new Metrics(),
  );
});
afterEach(async () => {
  await kept?.end();
  kept = undefined;
  await faults.observer.$disconnect();
  await world.close();
});
afterAll(async () => {
  await queue.obliterate({ force: true });
  await queue.close();
});

const actor = { caller: 'tester', keyId: randomUUID() };
const submission: Submission = {
  projectId: PROJECT,
  enterpriseProjectId: '0',
  taskId: TASK,
  range: 'specific_cluster',
  clusterIds: ['a', 'b', 'c'],
  scanTypes: [],
  priority: 'normal',
  deadline: null,
  maxRounds: 1,
  labels: {},
  callbackUrl: null,
};

/** A call with three clusters, and somebody else who waits for one of them. */
async function out(): Promise<StartedCall> {
  await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
  const call = await world.start();
  await world.aRequest({ clusterIds: ['b'], caller: 'parked' });
  await world.look();
  return call;
}

async function lost(): Promise<StartedCall> {
  const call = await out();
  await world.settle(call, answered.lost);
  await world.database.advance(LOOKUP_DUE_MS);
  return call;
}

const settling = (kind: keyof typeof answered, sent = true): Operation => ({
  prepare: async () => {
    const call = await out();
    return () => world.settle(call, answered[kind], sent);
  },
});

const notRead: ListCallAnswer = {
  outcome: answered.gatewayDown,
  sent: true,
  durationMs: 3,
  serverDate: null,
  clockOffsetMs: null,
};
const aPage = (sentAt: Date, taken: readonly string[], shown = ['a', 'b', 'c'], more = false): ListCallAnswer => {
  const rows = shown.map((clusterId) => {
    const isTaken = taken.includes(clusterId);
    const startTime = new Date(sentAt.getTime() + (isTaken ? SECOND_MS : -HOUR_MS));
    const scanStatus = isTaken ? ('scanning' as const) : ('failed' as const);
    return { clusterId, scanStatus, startTime, endTime: isTaken ? null : startTime, items: [] };
  });
  const page = { rows, rowsSeen: rows.length, total: null, nextOffset: more ? rows.length : null };
  return { ...notRead, outcome: { kind: 'read', page, evidence: noEvidence } };
};

const lookedUp = (answer: (sentAt: Date) => ListCallAnswer, laterMs = 0): Operation => ({
  prepare: async () => {
    const call = await lost();
    await world.database.advance(laterMs);
    const turn = await world.lookAtLists();
    if (turn.kind !== 'started') throw new Error('no lookup is due');
    return () => world.settleList(turn.started, answer(call.at));
  },
});

const byHand = (as: 'accepted' | 'not_carried_out'): Operation => ({
  prepare: async () => {
    const { id } = await lost();
    return () => world.resolver.byHand(id, as, 'by the test', actor);
  },
});

/** The call of a start whose commit was not answered is sent by nobody, and may not be sent by anybody else either. */
async function callOfNobody(): Promise<void> {
  await world.aRequest({ clusterIds: ['a', 'e'], caller: 'third' });
  const next = await world.start();
  expect(clustersOf(next)).toEqual(['e']);
  await world.settle(next, answered.accepted);
  await world.database.advance(LEASE_OVER_MS);
  await sweep();
  const calls = await world.prisma.call.findMany({
    select: { state: true, clusterCount: true },
    orderBy: { id: 'asc' },
  });
  expect(calls).toEqual([
    { state: 'unknown', clusterCount: 3 },
    { state: 'accepted', clusterCount: 1 },
  ]);
  expect((await world.look()).kind).toBe('nothing');
}

/** A lookup is only a question: it is asked again when the one who took it could not have an answer any more. */
async function lookupOfNobody(): Promise<void> {
  await world.database.advance(LEASE_OVER_MS);
  await sweep();
  expect((await world.lookAtLists()).kind).toBe('started');
  const lists = await world.prisma.listCall.findMany({ select: { state: true }, orderBy: { id: 'asc' } });
  expect(lists).toEqual([{ state: 'unknown' }, { state: 'sending' }]);
}

/** @returns the end of a listing after which a and b wait for their scans */
async function listedAsScanning(): Promise<Work> {
  await world.aRequest({ clusterIds: ['a', 'b'] });
  await world.aRequest({ caller: 'whole' });
  await world.prisma.transact((tx) => world.wantListing(tx, TASK));
  await world.list(tasks({ failed: 1, scanning: 2 }, 'running'), world.laneFor('listTasks'));
  const turn = await world.lookAtLists();
  if (turn.kind !== 'started') throw new Error('no page is due');
  return () => world.settleList(turn.started, clusters([scan('a', 'scanning'), scan('b', 'scanning'), scan('c')]));
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'a submission': {
    prepare: () => {
      const key = randomUUID();
      return Promise.resolve(() => intake.submit(submission, key, { ...actor, scopes: [], projects: '*' }));
    },
  },
  'a cancellation': {
    prepare: async () => {
      await world.aRequest({ clusterIds: ['a', 'd'], caller: 'other' });
      await world.start();
      const id = await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
      return async () => {
        await world.requests.markCancelled(id, actor);
        await world.requests.endWaiting(id);
      };
    },
  },
  'the start of a call': {
    prepare: async () => {
      await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
      await world.aRequest({ clusterIds: ['b'], caller: 'same' });
      return () => world.look();
    },
    forgotten: callOfNobody,
  },
  'a start that finds all clusters taken': {
    prepare: async () => {
      await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
      await world.start();
      await world.aRequest({ clusterIds: ['b'], caller: 'parked' });
      return () => world.look();
    },
  },
  'the start of half a rejected call': {
    prepare: async () => {
      await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
      await world.startAndSettle(answered.badCluster);
      // The other half may go too, and would: a start is repeated after a commit that nobody heard of.
      await world.prisma.$executeRaw`UPDATE target SET due_at = due_at + interval '1 day' WHERE split_half <> 0`;
      return () => world.look();
    },
  },
  'an accepted call': settling('accepted'),
  'a lost answer': settling('lost'),
  'a throttled call': settling('throttled'),
  'an agent that is offline': settling('agentOffline'),
  'a rejected call that is split': settling('badCluster'),
  'a rejected task': settling('badTask'),
  'a call that was not sent': settling('noConnection', false),
  'a late answer': {
    prepare: async () => {
      const call = await lost();
      await world.lookUp(aPage(call.at, []));
      return () => world.settle(call, answered.accepted);
    },
  },
  'the end of a lease': {
    prepare: async () => {
      await out();
      await world.database.advance(LEASE_OVER_MS);
      return sweep;
    },
    tells: false,
  },
  'the start of a lookup': {
    prepare: async () => {
      await lost();
      return () => world.lookAtLists();
    },
    forgotten: lookupOfNobody,
  },
  'a lookup that finds all taken': lookedUp((at) => aPage(at, ['a', 'b', 'c'])),
  'a lookup that finds some taken': lookedUp((at) => aPage(at, ['b'])),
  'a lookup that finds none taken': lookedUp((at) => aPage(at, [])),
  'a lookup that must read on': lookedUp((at) => aPage(at, ['a'], ['a'], true)),
  'a lookup that cannot read': lookedUp(() => notRead),
  'a lookup that is given up': lookedUp(() => notRead, 3 * HOUR_MS),
  'a call resolved by hand as accepted': byHand('accepted'),
  'a call resolved by hand as not carried out': byHand('not_carried_out'),
  'a due time of a schedule': {
    prepare: async () => {
      await aSchedule(world, { selection: { taskIds: [TASK] } });
      await world.database.advance(HOUR_MS);
      return () => world.dueSchedules.take();
    },
  },
  'the end of a scan task of a fire': {
    prepare: async () => {
      await aSchedule(world, { selection: { taskIds: [TASK] } });
      await world.database.advance(HOUR_MS);
      await world.dueSchedules.take();
      const turn = await world.lookAtLists();
      if (turn.kind !== 'started') throw new Error('no page is due');
      return () => world.settleList(turn.started, failedClusters(['a', 'b', 'c']));
    },
  },
  'a listing that shows a cluster scanning': { prepare: listedAsScanning },
  'the end of a scan that was there before': {
    prepare: async () => {
      await (
        await listedAsScanning()
      )();
      await world.database.advance(MINUTE_MS);
      await world.list(runningTasks([]), world.laneFor('listTasks'));
      const turn = await world.lookAtLists();
      if (turn.kind !== 'started') throw new Error('no page is due');
      return () => world.settleList(turn.started, clusters([scan('a'), scan('b', 'success')]));
    },
  },
  'a verdict that does not come': {
    prepare: async () => {
      await world.settle(await out(), answered.accepted);
      await world.database.advance(6 * HOUR_MS + SECOND_MS);
      return () => world.verdicts.end();
    },
    tells: 'search',
  },
};

async function state(): Promise<Record<string, unknown>> {
  const entries = Object.entries(STATE).map(async ([name, query]) => [
    name,
    await faults.observer.$queryRawUnsafe<unknown[]>(query),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

/** As the service does it: an operator who hears that the call is not unknown any more has what he wanted. */
const again = (work: Work): Promise<unknown> =>
  work().catch((error: unknown) => {
    if (!(error instanceof DomainError && error.code === 'conflict')) throw error;
  });

it.each(Object.entries(OPERATIONS))(
  '%s, whichever statement the connection breaks with',
  async (_title, operation) => {
    const { prepare, tells = true, forgotten } = operation;
    const work = await prepare();
    kept = await keepRows(world.database);
    const before = await state();
    const statements = await faults.listen(work);
    const after = await state();
    expect(statements).toEqual(expect.arrayContaining(['BEGIN', 'COMMIT']));
    expect(statements.length).toBeGreaterThan(3);
    expect(after).not.toEqual(before);
    for (const fault of FAULTS) {
      for (let nth = 1; nth <= statements.length; nth += 1) {
        await kept.bringBack();
        const { statement, error } = await faults.strike(nth, fault, work);
        const broken = `statement ${nth} of ${statements.length} ${fault}: ${statement}`;
        const told = tells === 'search' ? nth === 1 : tells;
        expect({ broken, told: error instanceof Error }).toEqual({ broken, told });
        await expectInvariants(faults.observer);
        await again(work);
        await expectInvariants(faults.observer);
        expect({ broken, ...(await state()) }).toEqual({ broken, ...after });
        if (!forgotten || fault === 'fails' || statement !== 'COMMIT') continue;
        await forgotten();
        await expectInvariants(faults.observer);
      }
    }
  },
  120_000,
);
