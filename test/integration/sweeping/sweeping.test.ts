import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomUUID } from 'node:crypto';
import type { Bell } from '../../../src/platform/queues/bells.js';
import { Bells } from '../../../src/platform/queues/bells.js';
import { aCredential, answered, CallingWorld, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { aSweeper } from '../../support/sweeper.js';
import { testRedisUrl } from '../../support/test-database.js';

const HOUR_MS = 3_600_000;

let world: CallingWorld;
let queue: Queue<Bell>;
let sweep: () => Promise<void>;

beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })] });
  queue = new Queue<Bell>(`bells-${randomUUID()}`, { connection: { url: testRedisUrl() } });
  const sweeper = aSweeper(world, new Bells(queue));
  sweep = () => sweeper.sweep();
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await queue.obliterate({ force: true });
  await queue.close();
  await world.close();
});

const bells = async (): Promise<string[]> => (await queue.getWaiting()).map(({ data }) => data.laneId);

it('rings the lanes of due work whose bell was lost', async () => {
  await sweep();
  expect(await bells()).toEqual([]);
  await world.aRequest({ clusterIds: ['a'] });
  await sweep();
  expect(await bells()).toEqual(['main.retryTask']);
});

it('rings for no work that waits for its time, or for another call', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await world.startAndSettle(answered.agentOffline);
  await world.aRequest({ clusterIds: ['b'] });
  await world.start();
  await world.aRequest({ clusterIds: ['b'], caller: 'other' });
  await world.look();
  await sweep();
  expect(await bells()).toEqual([]);
});

it('rings no lane that may not send, and rings it once it may', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  const operator = { caller: 'tester', keyId: randomUUID() };
  await world.control.changeLane('main.retryTask', { paused: true }, operator);
  await sweep();
  expect(await bells()).toEqual([]);
  await world.control.changeLane('main.retryTask', { paused: false }, operator);
  await sweep();
  expect(await bells()).toEqual(['main.retryTask']);
});

it('finds a call unknown whose worker is gone, and keeps its targets from being sent again', async () => {
  const request = await world.aRequest({ clusterIds: ['a'] });
  const call = await world.start();
  await world.database.advance(44_000);
  await sweep();
  expect(await world.counts(request)).toEqual({ sending: 1 });
  await world.database.advance(2_000);
  await sweep();
  expect(await world.counts(request)).toEqual({ unknown: 1 });
  const row = await world.prisma.call.findUniqueOrThrow({ where: { id: call.id } });
  expect(row).toMatchObject({ state: 'unknown', decision: expect.objectContaining({ cause: 'lease_expired' }) });
  expect(row.slotFreeAt.getTime() - (row.finishedAt?.getTime() ?? 0)).toBe(60_000);
  expect((await world.look()).kind).toBe('nothing');
});

it('writes down what a worker learned that woke up after its lease', async () => {
  const request = await world.aRequest({ clusterIds: ['a'] });
  const call = await world.start();
  await world.database.advance(46_000);
  await sweep();
  expect(await world.settle(call, answered.accepted)).not.toBeNull();
  expect(await world.counts(request)).toEqual({ accepted: 1 });
});

it('rings the list lane when an unknown call is due to be looked up', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await world.startAndSettle(answered.lost);
  await world.database.advance(45_000 + 90_000 + 1_000);
  await sweep();
  expect(await bells()).toEqual(['main.listTaskResources']);
});

it('gives the slot of a list call back that nobody answers any more', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await world.startAndSettle(answered.lost);
  await world.database.advance(136_000);
  expect((await world.lookAtLists()).kind).toBe('started');
  await world.database.advance(46_000);
  await sweep();
  expect(await world.prisma.listCall.findMany({ select: { state: true } })).toEqual([{ state: 'unknown' }]);
});

it.each(['accepted', 'lost'] as const)(
  'ends %s targets as unverified after the verdict time-out, and frees their clusters',
  async (kind) => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    const call = await world.startAndSettle(answered[kind]);
    const parked = await world.aRequest({ clusterIds: ['b', 'c'], caller: 'other' });
    await world.startAndSettle(answered.accepted);
    await world.database.advance(6 * HOUR_MS - 1_000);
    await sweep();
    expect(await world.state(request)).toBe('open');
    await world.database.advance(2_000);
    await sweep();
    expect(await world.counts(request)).toEqual({ unverified: 2 });
    expect(await world.state(request)).toBe('finished');
    expect((await world.targets(request))['a']).toMatchObject({ result: 'unverified', reasonCode: 'verdict_timeout' });
    expect(await world.counts(parked)).toEqual({ unverified: 2 });
    expect(await world.prisma.liveCluster.count()).toBe(0);
    expect((await world.prisma.call.findUniqueOrThrow({ where: { id: call.id } })).state).not.toBe('sending');
  },
);

it('ends what waits beyond its deadline or its maximum age', async () => {
  const soon = await world.aRequest({ clusterIds: ['a'], deadline: new Date(Date.now() + 60_000) });
  const old = await world.aRequest({ clusterIds: ['b'] });
  await world.database.advance(61_000);
  await sweep();
  expect(await world.counts(soon)).toEqual({ expired: 1 });
  expect((await world.targets(soon))['a']).toMatchObject({ reasonCode: 'deadline' });
  expect(await world.counts(old)).toEqual({ waiting: 1 });
  await world.database.advance(7 * 24 * HOUR_MS);
  await sweep();
  expect(await world.counts(old)).toEqual({ expired: 1 });
  expect((await world.targets(old))['b']).toMatchObject({ reasonCode: 'max_age' });
});

it('finishes a cancel that died half-way', async () => {
  const request = await world.aRequest({ clusterIds: ['a', 'b'] });
  await world.requests.markCancelled(request, { caller: 'me', keyId: randomUUID() });
  expect((await world.look()).kind).toBe('nothing');
  await sweep();
  expect(await world.counts(request)).toEqual({ cancelled: 2 });
  expect(await world.state(request)).toBe('cancelled');
});

it('makes the other partitions where one month has rows in its default partition already', async () => {
  const months = await world.prisma.$queryRaw<{ name: string }[]>`
    SELECT relname AS name FROM pg_class WHERE relname ~ '^(call|event)_2' AND relkind = 'r'`;
  for (const { name } of months) await world.database.asOwner(`DROP TABLE ${name}`);
  await world.requests.markCancelled(await world.aRequest({ clusterIds: ['a'] }), {
    caller: 'me',
    keyId: randomUUID(),
  });
  await world.overdue.ensurePartitions();
  const made = await world.prisma.$queryRaw<{ name: string }[]>`
    SELECT relname AS name FROM pg_class WHERE relname ~ '^(call|event)_2' AND relkind = 'r'`;
  // Of the month that began without a partition, only the one of the table with rows is missing.
  expect(made).toHaveLength(months.length - 1);
  await sweep();
});

it('does the same work once, however many sweep', async () => {
  const request = await world.aRequest({ clusterIds: ['a'] });
  await world.start();
  await world.database.advance(46_000);
  await Promise.all([sweep(), sweep(), sweep()]);
  expect(await world.counts(request)).toEqual({ unknown: 1 });
  await world.database.advance(7 * HOUR_MS);
  await Promise.all([sweep(), sweep(), sweep()]);
  expect(await world.counts(request)).toEqual({ unverified: 1 });
});
