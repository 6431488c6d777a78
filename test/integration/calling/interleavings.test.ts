import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import fc from 'fast-check';
import type { StartedCall } from '../../../src/calling/call-starter.js';
import { noEvidence } from '../../../src/domain/call-outcome.js';
import { Bells, type Bell } from '../../../src/platform/queues/bells.js';
import type { LookupAnswer } from '../../../src/watching/lookup-answer.js';
import { aCredential, answered, CallingWorld, clustersOf, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { aSweeper } from '../../support/sweeper.js';
import { testRedisUrl } from '../../support/test-database.js';

const RUNS = Number(process.env['RESCAN_INTERLEAVINGS'] ?? 25);
const HOUR_MS = 3_600_000;
const OUTCOMES = Object.keys(answered) as (keyof typeof answered)[];

let world: CallingWorld;
let queue: Queue<Bell>;
let sweep: () => Promise<void>;

beforeAll(async () => {
  const names = ['one', 'two'];
  world = await CallingWorld.open({
    credentials: names.map((name) => ({
      ...aCredential({ name }),
      limits: {
        retryTask: name === 'one' ? unlimited : { calls: 2, windowMs: 60_000 },
        listTasks: unlimited,
        listTaskResources: unlimited,
      },
    })),
    policy: { splitBudget: 6 },
  });
  queue = new Queue<Bell>('bells-interleavings', { connection: { url: testRedisUrl() } });
  const sweeper = aSweeper(world, new Bells(queue));
  sweep = () => sweeper.sweep();
});
afterAll(async () => {
  await queue.obliterate({ force: true });
  await queue.close();
  await world.close();
});

const CLUSTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const;
const cluster = fc.constantFrom(...CLUSTERS);
const submission = fc.record({
  clusterIds: fc.option(fc.uniqueArray(cluster, { minLength: 1 }), { nil: undefined, freq: 6 }),
  taskId: fc.constantFrom('task-1', 'task-2'),
  enterpriseProjectId: fc.constantFrom('0', '0', 'other'),
  scanTypes: fc.subarray(['cluster_vul', 'risk_assessment', 'benchmark'] as const),
  priority: fc.constantFrom('urgent', 'normal', 'background'),
});
const step = fc.oneof(
  { weight: 4, arbitrary: submission.map((wanted) => ({ kind: 'submit', wanted }) as const) },
  { weight: 6, arbitrary: fc.nat(1).map((lane) => ({ kind: 'start', lane }) as const) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom(...OUTCOMES))
      .map(([nth, outcome]) => ({ kind: 'settle', nth, outcome }) as const),
  },
  { weight: 2, arbitrary: fc.nat(9).map((nth) => ({ kind: 'sleep', nth }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom(...OUTCOMES))
      .map(([nth, outcome]) => ({ kind: 'wake', nth, outcome }) as const),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.boolean(), fc.subarray([...CLUSTERS]))
      .map(([read, taken]) => ({ kind: 'lookup', read, taken }) as const),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('accepted', 'not_carried_out').map((as) => ({ kind: 'resolve', as }) as const),
  },
  { weight: 2, arbitrary: fc.nat(9).map((nth) => ({ kind: 'cancel', nth }) as const) },
  { weight: 3, arbitrary: fc.constantFrom(1, 20, 60, 600).map((seconds) => ({ kind: 'pass', seconds }) as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'sweep' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The upstream and the workers, as far as the test plays them. */
class Run {
  readonly out: StartedCall[] = [];
  /** Calls whose workers are stopped: they may never come back, or late. */
  readonly asleep: StartedCall[] = [];
  readonly requests: string[] = [];

  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case 'submit': {
        const { clusterIds, scanTypes, ...rest } = one.wanted;
        this.requests.push(await world.aRequest(clusterIds ? { ...rest, scanTypes, clusterIds } : rest));
        return;
      }
      case 'start':
        return this.start(one.lane);
      case 'settle': {
        const call = this.out.splice(one.nth % Math.max(1, this.out.length), 1)[0];
        if (call) await world.settle(call, answered[one.outcome], one.outcome !== 'noConnection', laneOf(call));
        return;
      }
      case 'sleep':
        this.asleep.push(...this.out.splice(one.nth % Math.max(1, this.out.length), 1));
        return;
      case 'wake': {
        const call = this.asleep.splice(one.nth % Math.max(1, this.asleep.length), 1)[0];
        if (call) await world.settle(call, answered[one.outcome], one.outcome !== 'noConnection', laneOf(call));
        return;
      }
      case 'lookup':
        return this.lookUp(one.read, one.taken);
      case 'resolve': {
        const call = await world.prisma.call.findFirst({
          where: { state: 'unknown', verdictDueAt: { not: null } },
          select: { id: true },
        });
        if (call)
          await world.resolver.byHand(call.id, one.as, 'by the test', { caller: 'tester', keyId: crypto.randomUUID() });
        return;
      }
      case 'cancel': {
        const id = this.requests[one.nth % Math.max(1, this.requests.length)];
        if (!id) return;
        await world.requests.markCancelled(id, { caller: 'tester', keyId: crypto.randomUUID() });
        // Every other one dies before it ends what waits: the sweep must.
        if (one.nth % 2 === 0) await world.requests.endWaiting(id);
        return;
      }
      case 'pass':
        return world.database.advance(one.seconds * 1_000);
      case 'sweep':
        return sweep();
    }
  }

  async start(index: number): Promise<void> {
    const turn = await world.look(world.lanes[index]);
    if (turn.kind === 'started') this.out.push(turn.call);
  }

  async lookUp(read: boolean, taken: readonly string[]): Promise<void> {
    for (const lane of world.allLanes.filter(({ operation }) => operation !== 'retryTask')) {
      const turn = await world.lookAtLookups(lane);
      if (turn.kind === 'nothing') continue;
      const answer = read ? pageOf(lane.operation, taken) : notRead;
      await world.settleLookup(turn.started, answer, lane);
    }
  }

  /** From now on nothing goes wrong any more. */
  async drain(): Promise<void> {
    for (let day = 0; day < 40; day += 1) {
      await this.start(0);
      for (const call of this.out.splice(0)) await world.settle(call, answered.accepted, true, laneOf(call));
      await world.database.advance(7 * HOUR_MS);
      await sweep();
    }
  }
}

const pageOf = (operation: string, taken: readonly string[]): LookupAnswer => {
  const none = { startTime: null, endTime: null };
  const clusters = CLUSTERS.map((clusterId) => {
    const scanStatus = taken.includes(clusterId) ? ('scanning' as const) : ('failed' as const);
    return { ...none, clusterId, scanStatus, items: [] };
  });
  const task = {
    ...none,
    taskId: 'task',
    taskStatus: taken.length > 3 ? ('running' as const) : ('finished' as const),
    estimatedMinutes: null,
    scanningClusters: null,
    successClusters: null,
    failedClusters: null,
  };
  const page = { rowsSeen: 1, total: null, nextOffset: null };
  const evidence = noEvidence;
  const about = { sent: true, durationMs: 1, serverDate: null };
  return operation === 'listTasks'
    ? { outcome: { kind: 'read', page: { ...page, rows: [task] }, evidence }, ...about }
    : { outcome: { kind: 'read', page: { ...page, rows: clusters }, evidence }, ...about };
};
const notRead: LookupAnswer = { outcome: answered.gatewayDown, sent: true, durationMs: 1, serverDate: null };

const laneOf = ({ credential }: StartedCall) => world.lanes.find((lane) => lane.credential.name === credential);

it('breaks no promise, in whatever order things happen, and ends every target', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await world.prisma.$executeRawUnsafe(
        'TRUNCATE request, target, live_cluster, call, list_call, call_request, event, scan_task, project',
      );
      await world.prisma.$executeRaw`
        UPDATE lane SET paused_until = NULL, breaker_open_until = NULL, failure_streak = 0`;
      await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = true, failures = 0, open_until = NULL`;
      const run = new Run();
      for (const one of steps) {
        await run.take(one);
        await expectInvariants(world.prisma);
        for (const { range } of run.out) expect(new Set(clustersOf({ range } as StartedCall)).size).toBeGreaterThan(0);
      }
      await run.drain();
      await expectInvariants(world.prisma);
      expect(await world.prisma.request.count({ where: { state: 'open' } })).toBe(0);
    }),
    { numRuns: RUNS },
  );
}, 240_000);
