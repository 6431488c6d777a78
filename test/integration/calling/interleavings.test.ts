import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import fc from 'fast-check';
import type { StartedCall } from '../../../src/calling/call-starter.js';
import { noEvidence } from '../../../src/domain/call-outcome.js';
import { Bells, type Bell } from '../../../src/platform/queues/bells.js';
import type { ListCallAnswer } from '../../../src/watching/list-answer.js';
import { aCredential, answered, CallingWorld, clustersOf, unlimited } from '../../support/calling-world.js';
import { CallModel } from '../../support/call-model.js';
import { expectInvariants } from '../../support/invariants.js';
import { aSweeper } from '../../support/sweeper.js';
import { testRedisUrl } from '../../support/test-database.js';

const RUNS = Number(process.env['RESCAN_INTERLEAVINGS'] ?? 100);
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
  { weight: 1, arbitrary: fc.constant({ kind: 'empty the queue' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The upstream and the workers, as far as the test plays them, and beside it what should be. */
class Run {
  readonly out: StartedCall[] = [];
  /** Calls whose workers are stopped or dead: they may never come back, or late. */
  readonly asleep: StartedCall[] = [];
  readonly requests: string[] = [];
  readonly model = new CallModel(world.config.policy, world.lane.credential.timeoutMs);

  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case 'submit': {
        const { clusterIds, scanTypes, ...rest } = one.wanted;
        this.requests.push(await world.aRequest(clusterIds ? { ...rest, scanTypes, clusterIds } : rest));
        return;
      }
      case 'start':
        return this.start(one.lane);
      case 'settle':
        return this.settle(this.out, one.nth, one.outcome);
      case 'sleep':
        this.asleep.push(...this.out.splice(one.nth % Math.max(1, this.out.length), 1));
        return;
      case 'wake':
        return this.settle(this.asleep, one.nth, one.outcome);
      case 'lookup':
        return this.lookUp(one.read, one.taken);
      case 'resolve':
        return this.resolve(one.as);
      case 'cancel':
        return this.cancel(one.nth);
      case 'pass':
        return this.pass(one.seconds * 1_000);
      case 'sweep':
        this.model.sweep();
        return sweep();
      case 'empty the queue':
        return queue.obliterate({ force: true });
    }
  }

  private async start(index: number): Promise<void> {
    const turn = await world.look(world.lanes[index]);
    if (turn.kind !== 'started') return;
    this.model.start(turn.call);
    this.out.push(turn.call);
  }

  private async settle(from: StartedCall[], nth: number, outcome: keyof typeof answered): Promise<void> {
    const call = from.splice(nth % Math.max(1, from.length), 1)[0];
    if (!call) return;
    const isClear = this.model.settle(call.id, answered[outcome]);
    await world.settle(call, answered[outcome], outcome !== 'noConnection', laneOf(call));
    if (!isClear) await this.model.adopt(call.id, clustersOf(call), world.prisma);
  }

  private async lookUp(read: boolean, taken: readonly string[]): Promise<void> {
    for (const lane of world.allLanes.filter(({ operation }) => operation !== 'retryTask')) {
      const turn = await world.lookAtLists(lane);
      if (turn.kind === 'nothing') continue;
      const { filter, callId } = turn.started.job;
      const whole = lane.operation === 'listTasks';
      const answer = !read ? notRead : whole ? tasksPage(filter.taskId ?? '', taken.length > 3) : clustersPage(taken);
      if (callId !== null) {
        this.model.lookUp(callId, !read ? null : whole && taken.length > 3 ? ['*'] : taken);
      }
      await world.settleList(turn.started, answer, lane);
    }
  }

  private async resolve(as: 'accepted' | 'not_carried_out'): Promise<void> {
    const where = { state: 'unknown', verdictDueAt: { not: null } } as const;
    const call = await world.prisma.call.findFirst({ where, select: { id: true } });
    if (!call) return;
    this.model.resolve(call.id, as === 'accepted' ? this.model.clustersOf(call.id) : []);
    await world.resolver.byHand(call.id, as, 'by the test', { caller: 'tester', keyId: crypto.randomUUID() });
  }

  private async cancel(nth: number): Promise<void> {
    const id = this.requests[nth % Math.max(1, this.requests.length)];
    if (!id) return;
    await world.requests.markCancelled(id, { caller: 'tester', keyId: crypto.randomUUID() });
    // Every other one dies before it ends what waits: the sweep must.
    if (nth % 2 === 0) await world.requests.endWaiting(id);
  }

  private async pass(ms: number): Promise<void> {
    this.model.pass(ms);
    await world.database.advance(ms);
  }

  /** From now on nothing goes wrong any more. */
  async drain(): Promise<void> {
    for (let day = 0; day < 40 && (await openRequests()) > 0; day += 1) {
      await this.start(0);
      while (this.out.length > 0) await this.settle(this.out, 0, 'accepted');
      await this.pass(7 * HOUR_MS);
      await this.take({ kind: 'sweep' });
    }
  }
}

const openRequests = (): Promise<number> => world.prisma.request.count({ where: { state: 'open' } });

const none = { startTime: null, endTime: null };
const about = { sent: true, durationMs: 1, serverDate: null, clockOffsetMs: null };
const evidence = noEvidence;

function clustersPage(taken: readonly string[]): ListCallAnswer {
  const rows = CLUSTERS.map((clusterId) => {
    const scanStatus = taken.includes(clusterId) ? ('scanning' as const) : ('failed' as const);
    return { ...none, clusterId, scanStatus, items: [] };
  });
  return {
    outcome: { kind: 'read', page: { rows, rowsSeen: rows.length, total: null, nextOffset: null }, evidence },
    ...about,
  };
}

function tasksPage(taskId: string, scans: boolean): ListCallAnswer {
  const unsaid = { estimatedMinutes: null, scanningClusters: null, successClusters: null, failedClusters: null };
  const rows = [{ ...none, ...unsaid, taskId, taskStatus: scans ? ('running' as const) : ('finished' as const) }];
  return { outcome: { kind: 'read', page: { rows, rowsSeen: 1, total: null, nextOffset: null }, evidence }, ...about };
}

const notRead: ListCallAnswer = {
  outcome: answered.gatewayDown,
  sent: true,
  durationMs: 1,
  serverDate: null,
  clockOffsetMs: null,
};

const laneOf = ({ credential }: StartedCall) => world.lanes.find((lane) => lane.credential.name === credential);

it('breaks no promise, in whatever order things happen, does what a small model says, and ends every target', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await world.database.asOwner(
        `SET session_replication_role = replica;
         TRUNCATE request, target, live_cluster, call, list_call, call_request, event, scan_task, project`,
      );
      await world.prisma.$executeRaw`
        UPDATE lane SET paused_until = NULL, breaker_open_until = NULL, failure_streak = 0`;
      await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = true, failures = 0, open_until = NULL`;
      const run = new Run();
      for (const one of steps) {
        await run.take(one);
        await run.model.check(world.prisma);
        await expectInvariants(world.prisma);
      }
      await run.drain();
      await run.model.check(world.prisma);
      await expectInvariants(world.prisma);
      expect(await openRequests()).toBe(0);
    }),
    { numRuns: RUNS },
  );
}, 240_000);
