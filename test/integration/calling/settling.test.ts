import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { aCredential, answered, CallingWorld, clusterIds, clustersOf, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';

const DAY_MS = 86_400_000;

let world: CallingWorld;

beforeEach(async () => {
  world = await CallingWorld.open({
    credentials: [aCredential({ retryTask: unlimited })],
    policy: { breaker: { failures: 1_000, openMs: 60_000 } },
  });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

describe('settling a call', () => {
  it('keeps the targets of an accepted call until their verdict', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    const call = await world.startAndSettle(answered.accepted);
    expect(await world.counts(request)).toEqual({ accepted: 2 });
    const row = await world.prisma.call.findUniqueOrThrow({ where: { id: call.id } });
    expect(row).toMatchObject({ state: 'accepted', httpStatus: 200, durationMs: 5 });
    const heldMs = row.slotFreeAt.getTime() - (row.finishedAt?.getTime() ?? 0);
    expect(heldMs).toBeLessThanOrEqual(60_000);
    expect(heldMs).toBeGreaterThan(50_000);
  });

  it('frees the slot a window after the answer, however late it is written down', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    const [accepted, lost] = [
      await world.start(),
      await world.aRequest({ clusterIds: ['b'] }).then(() => world.start()),
    ];
    const minuteAgo = performance.now() - 59_000;
    await world.settle(accepted, answered.accepted, true, world.lane, minuteAgo);
    await world.settle(lost, answered.lost, true, world.lane, minuteAgo);
    const heldMs = async ({ id }: { id: string }): Promise<number> => {
      const row = await world.prisma.call.findUniqueOrThrow({ where: { id } });
      return row.slotFreeAt.getTime() - (row.finishedAt?.getTime() ?? 0);
    };
    expect(await heldMs(accepted)).toBeLessThanOrEqual(1_000);
    // It may still be under way, and be counted from now on.
    expect(await heldMs(lost)).toBe(60_000);
  });

  it('settles a call once, whoever comes second', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    const call = await world.start();
    const settled = await Promise.all([
      world.settle(call, answered.accepted),
      world.settle(call, answered.throttled),
      world.settle(call, answered.badTask),
    ]);
    expect(settled.filter((one) => one !== null)).toHaveLength(1);
    expect(await world.settle(call, answered.badTask)).toBeNull();
    expect(Object.values(await world.counts(request))).toEqual([1]);
  });

  it('holds the targets of a lost answer: nothing is sent again before it is known', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    await world.startAndSettle(answered.lost);
    const other = await world.aRequest({ clusterIds: ['a'], caller: 'other' });
    await world.database.advance(3_600_000);
    expect((await world.look()).kind).toBe('nothing');
    expect(await world.counts(request)).toEqual({ unknown: 1 });
    expect(await world.counts(other)).toEqual({ waiting: 1 });
  });

  it('charges an attempt only for what says something about the target, and ends it when they are used up', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    for (const outcome of [answered.gatewayDown, answered.forbidden, answered.refused, answered.noConnection]) {
      await world.startAndSettle(outcome);
      await world.prisma.$executeRaw`UPDATE lane SET breaker_open_until = NULL`;
      await world.database.advance(DAY_MS / 24);
    }
    expect((await world.targets(request))['a']).toMatchObject({ state: 'waiting', attempts: 0 });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await world.startAndSettle(answered.agentOffline);
      await world.database.advance(DAY_MS / 12);
    }
    expect((await world.targets(request))['a']).toEqual({
      state: 'done',
      result: 'exhausted',
      attempts: 5,
      reasonCode: 'exhausted',
    });
    expect(await world.state(request)).toBe('finished');
  });

  it('keeps targets together: one wait for the whole call', async () => {
    await world.aRequest({ clusterIds: clusterIds(200) });
    await world.startAndSettle(answered.agentOffline);
    const due = await world.prisma.$queryRaw<unknown[]>`SELECT DISTINCT due_at FROM target`;
    expect(due).toHaveLength(1);
    await world.database.advance(3_600_000);
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('rejects all targets of a task that HSS does not know, with the evidence', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    await world.startAndSettle(answered.badTask);
    expect(await world.counts(request)).toEqual({ rejected: 2 });
    const [target] = await world.prisma.target.findMany({ where: { requestId: request }, take: 1 });
    expect(target).toMatchObject({ result: 'rejected', reasonCode: 'HSS.0011', reasonText: 'not found' });
    expect(await world.state(request)).toBe('finished');
  });

  it('gives those who wait for the same cluster its result, where their scan types were sent', async () => {
    await world.aRequest({ clusterIds: ['a'], scanTypes: ['cluster_vul', 'benchmark'] });
    const call = await world.start();
    const covered = await world.aRequest({ clusterIds: ['a', 'b'], scanTypes: ['benchmark'] });
    const beyond = await world.aRequest({ clusterIds: ['a'], scanTypes: ['risk_assessment'] });
    const all = await world.aRequest({ clusterIds: ['a'] });
    await world.start();
    await world.settle(call, answered.badCluster);
    expect(await world.counts(covered)).toEqual({ rejected: 1, sending: 1 });
    expect(await world.counts(beyond)).toEqual({ waiting: 1 });
    expect(await world.counts(all)).toEqual({ waiting: 1 });
    expect(clustersOf(await world.start())).toEqual(['a']);
  });

  it('ends what comes back to a cancelled or expired request', async () => {
    const cancelled = await world.aRequest({ clusterIds: ['a'] });
    const expired = await world.aRequest({ clusterIds: ['b'], deadline: new Date(Date.now() + 60_000) });
    const call = await world.start();
    expect(await world.requests.markCancelled(cancelled, { caller: 'me', keyId: crypto.randomUUID() })).toBe(true);
    await world.requests.endWaiting(cancelled);
    expect(await world.state(cancelled)).toBe('open');
    await world.database.advance(61_000);
    await world.settle(call, answered.gatewayDown);
    expect(await world.counts(cancelled)).toEqual({ cancelled: 1 });
    expect(await world.state(cancelled)).toBe('cancelled');
    expect(await world.counts(expired)).toEqual({ expired: 1 });
    expect(await world.state(expired)).toBe('finished');
  });
});

describe('a rejected call of several clusters', () => {
  /** The upstream: rejects every call with a culprit in it. */
  const drain = async (culprits: readonly string[]): Promise<number> => {
    for (let calls = 0; ; calls += 1) {
      const turn = await world.look();
      if (turn.kind === 'nothing') return calls;
      const bad = clustersOf(turn.call).some((cluster) => culprits.includes(cluster));
      await world.settle(turn.call, bad ? answered.badCluster : answered.accepted);
    }
  };

  it('is halved until the culprit stands alone; all others go through', async () => {
    const request = await world.aRequest({ clusterIds: clusterIds(200) });
    const calls = await drain(['c-000077']);
    expect(await world.counts(request)).toEqual({ rejected: 1, accepted: 199 });
    expect((await world.targets(request))['c-000077']).toMatchObject({ result: 'rejected', reasonCode: 'HSS.0001' });
    expect(calls).toBeLessThanOrEqual(21);
  });

  it('is split by what was refused before, which costs two calls', async () => {
    await world.aRequest({ clusterIds: ['c-000077'] });
    await drain(['c-000077']);
    const request = await world.aRequest({ clusterIds: clusterIds(200) });
    expect(await drain(['c-000077'])).toBe(3);
    expect(await world.counts(request)).toEqual({ rejected: 1, accepted: 199 });
  });

  it('spends at most its budget, and gives up the rest', async () => {
    const request = await world.aRequest({ clusterIds: clusterIds(200) });
    const culprits = clusterIds(200).filter((_id, index) => index < 100 && index % 7 === 0);
    expect(await drain(culprits)).toBeLessThanOrEqual(21);
    const targets = Object.values(await world.targets(request));
    expect(targets.some(({ reasonCode }) => reasonCode === 'split_budget')).toBe(true);
    expect(await world.state(request)).toBe('open');
    expect(targets.every(({ state, result }) => state === 'in_call' || result === 'rejected')).toBe(true);
  });

  it('keeps its halves to themselves, however often they are put off', async () => {
    await world.aRequest({ clusterIds: ['a', 'b', 'c', 'd'] });
    await world.startAndSettle(answered.badCluster);
    await world.aRequest({ clusterIds: ['e'] });
    expect(clustersOf(await world.startAndSettle(answered.gatewayDown))).toEqual(['a', 'b']);
    expect(clustersOf(await world.start())).toEqual(['c', 'd']);
    expect(clustersOf(await world.start())).toEqual(['e']);
    await world.database.advance(3_600_000);
    expect(clustersOf(await world.start())).toEqual(['a', 'b']);
  });

  it('lets a cluster of a half be wanted by others too', async () => {
    const first = await world.aRequest({ clusterIds: ['a', 'b'] });
    await world.startAndSettle(answered.badCluster);
    const second = await world.aRequest({ clusterIds: ['a', 'x'], caller: 'other' });
    await drain(['a']);
    expect(await world.counts(first)).toEqual({ rejected: 1, accepted: 1 });
    expect(await world.counts(second)).toEqual({ rejected: 1, accepted: 1 });
  });
});
