import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import fc from 'fast-check';
import type { StartedCall } from '../../../src/calling/call-starter.js';
import type { ClusterScan } from '../../../src/upstream/scan-tasks.js';
import type { ListCallAnswer } from '../../../src/watching/list-answer.js';
import type { StartedList } from '../../../src/watching/list-starter.js';
import { aCredential, answered, CallingWorld, noLimits, TASK } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { about, clusters, runningTasks, scan } from '../../support/list-pages.js';

// What it warns of is what this test brings about.
Logger.overrideLogger(false);

const RUNS = 20;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const CLUSTERS = ['a', 'b', 'c', 'd'];
const OUTCOMES = ['accepted', 'accepted', 'accepted', 'accepted', 'lost', 'agentOffline'] as const;
const STATUSES = ['failed', 'failed', 'failed', 'success', 'scanning', null] as const;

interface Row {
  readonly cluster: number;
  readonly status: number;
  readonly ageMs: number;
}
type Event =
  | { readonly kind: 'submit'; readonly clusters: number; readonly rounds: number; readonly types: boolean }
  | { readonly kind: 'call'; readonly outcome: number; readonly late: boolean }
  | {
      readonly kind: 'list';
      readonly rows: readonly Row[];
      readonly running: boolean;
      readonly how: 'read' | 'fails' | 'late';
    }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'cancel' | 'answerLate' | 'sweep' };

const oneIn = (n: number): fc.Arbitrary<boolean> => fc.nat(n - 1).map((drawn) => drawn === 0);
const submission = fc.record({
  kind: fc.constant('submit' as const),
  /** As bits; none is the whole task. */
  clusters: fc.integer({ min: 0, max: 15 }),
  rounds: fc.integer({ min: 1, max: 3 }),
  types: fc.boolean(),
});
const aCall = fc.record({
  kind: fc.constant('call' as const),
  outcome: fc.nat(OUTCOMES.length - 1),
  late: oneIn(5),
});
const row = fc.record({
  cluster: fc.nat(CLUSTERS.length - 1),
  status: fc.nat(STATUSES.length - 1),
  ageMs: fc.constantFrom(0, 0, 0, 5 * MINUTE),
});
const aList = fc.record({
  kind: fc.constant('list' as const),
  rows: fc.array(row, { minLength: 3, maxLength: 8 }),
  running: oneIn(6),
  how: fc.constantFrom('read' as const, 'read' as const, 'read' as const, 'fails' as const, 'late' as const),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 1, arbitrary: submission },
  { weight: 2, arbitrary: aCall },
  { weight: 5, arbitrary: aList },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(40_000, 2 * MINUTE, 40 * MINUTE) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('cancel' as const, 'answerLate' as const, 'sweep' as const) }),
  },
);

let world: CallingWorld;
/** Calls and list calls that were sent and whose answers are still under way. */
let lateCalls: { call: StartedCall; outcome: (typeof OUTCOMES)[number] }[];
let lateLists: { started: StartedList; answer: ListCallAnswer; lane: CallingWorld['listLane'] }[];

beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ limits: noLimits })] });
});
afterEach(() => world.close());

async function happen(one: Event): Promise<void> {
  switch (one.kind) {
    case 'submit': {
      const clusterIds = CLUSTERS.filter((_id, bit) => (one.clusters & (1 << bit)) !== 0);
      const scanTypes = one.types ? (['benchmark'] as const) : [];
      const what = one.clusters === 0 ? {} : { clusterIds, scanTypes: [...scanTypes] };
      await world.aRequest({ ...what, maxRounds: one.rounds });
      return;
    }
    case 'call':
      return call(OUTCOMES[one.outcome] ?? 'accepted', one.late);
    case 'list':
      return list(one);
    case 'wait':
      return world.database.advance(one.ms);
    case 'cancel':
      return cancel();
    case 'answerLate':
      return answerLate();
    case 'sweep':
      return sweep();
  }
}

async function call(outcome: (typeof OUTCOMES)[number], late: boolean): Promise<void> {
  const turn = await world.look();
  if (turn.kind !== 'started') return;
  if (late) lateCalls.push({ call: turn.call, outcome });
  else await world.settle(turn.call, answered[outcome]);
}

async function list({ rows, running, how }: Extract<Event, { kind: 'list' }>): Promise<void> {
  for (const lane of [world.laneFor('listTasks'), world.listLane]) {
    const turn = await world.lookAtLists(lane);
    if (turn.kind !== 'started') continue;
    const answer =
      how === 'fails' ? notRead : lane === world.listLane ? clustersPage(turn.started, rows) : tasksPage(running);
    if (how === 'late') lateLists.push({ started: turn.started, answer, lane });
    else await world.settleList(turn.started, answer, lane);
  }
}

const notRead = { outcome: answered.gatewayDown, ...about } as ListCallAnswer;
const clustersPage = ({ startedAt, job }: StartedList, rows: readonly Row[]): ListCallAnswer =>
  clusters(
    rows
      .map(({ cluster, status, ageMs }): ClusterScan => {
        const moment = new Date(startedAt.getTime() - ageMs);
        return scan(CLUSTERS[cluster] ?? 'a', STATUSES[status] ?? null, { startTime: moment, endTime: moment });
      })
      .filter(({ clusterId }) => job.filter.clusterId === undefined || job.filter.clusterId === clusterId),
  );
const tasksPage = (running: boolean): ListCallAnswer => runningTasks(running ? [TASK] : []);

async function cancel(): Promise<void> {
  const request = await world.prisma.request.findFirst({ where: { state: 'open' }, select: { id: true } });
  if (!request) return;
  await world.requests.markCancelled(request.id, { caller: 'tester', keyId: crypto.randomUUID() });
  await world.requests.endWaiting(request.id);
}

async function answerLate(): Promise<void> {
  const [one] = lateCalls.splice(0, 1);
  if (one) await world.settle(one.call, answered[one.outcome]);
  const [page] = lateLists.splice(0, 1);
  if (page) await world.settleList(page.started, page.answer, page.lane);
}

async function sweep(): Promise<void> {
  for (const { id, laneId } of await world.overdue.expiredLeases()) {
    const outcome = { ...answered.lost, cause: 'lease_expired' } as const;
    const answer = { outcome, sent: true, durationMs: null, serverDate: null };
    await world.settler.settle(id, laneId, answer, performance.now());
  }
  await world.lists.endExpired(world.prisma);
  await world.verdicts.end();
  for (const id of await world.overdue.expiredRequests()) await world.requests.endWaiting(id);
}

/** Everything comes to its end by time alone: nothing is sent or read any more. */
async function outlast(): Promise<void> {
  for (const ms of [MINUTE, DAY, 8 * DAY]) {
    await world.database.advance(ms);
    await sweep();
    await sweep();
  }
}

/** One cluster has its verdict and another one its second round before: or chance rarely comes as far. */
const BEGUN: readonly Event[] = [
  { kind: 'call', outcome: 0, late: false },
  { kind: 'wait', ms: 2 * MINUTE },
  { kind: 'list', rows: [0, 3].map((status, cluster) => ({ status, cluster, ageMs: 0 })), running: false, how: 'read' },
];

it('every target ends once, whatever the order in which things happen', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(event, { minLength: 15, maxLength: 50 }), async (begun, events) => {
      lateCalls = [];
      lateLists = [];
      await world.aRequest({ clusterIds: CLUSTERS, maxRounds: 2 });
      for (const one of [...(begun ? BEGUN : []), ...events]) await happen(one);
      await expectInvariants(world.prisma);
      await outlast();
      await expectInvariants(world.prisma);
      const open = await world.prisma.target.findMany({ where: { state: { not: 'done' } }, omit: { dueAt: true } });
      expect(open).toEqual([]);
      expect(await world.prisma.request.count({ where: { state: 'open' } })).toBe(0);
      expect(await world.prisma.liveCluster.count()).toBe(0);
    }),
    { numRuns: RUNS },
  );
  // Or it has told nothing of verdicts and rounds.
  const seen = await world.prisma.target.groupBy({ by: ['result'], _max: { round: true } });
  expect(seen.map(({ result }) => result)).toEqual(expect.arrayContaining(['succeeded', 'unverified']));
  expect(Math.max(...seen.map(({ _max }) => _max.round ?? 0))).toBeGreaterThan(1);
}, 180_000);
