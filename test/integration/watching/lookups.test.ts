import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { noEvidence } from '../../../src/domain/call-outcome.js';
import type { ClusterScan } from '../../../src/upstream/scan-tasks.js';
import type { ListCallAnswer } from '../../../src/watching/list-answer.js';
import {
  aCredential,
  answered,
  CallingWorld,
  clustersOf,
  PROJECT,
  unlimited,
  type WorldOptions,
} from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';

const HOUR_MS = 3_600_000;
/** The end of the lease and the grace after it. */
const LOOKUP_DUE_MS = 45_000 + 90_000;

let world: CallingWorld;
let sentAt: Date;

const open = async (options: WorldOptions = {}): Promise<void> => {
  world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })], ...options });
};
beforeEach(() => open());
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const old = (clusterId: string): ClusterScan => scanOf(clusterId, 'failed', -HOUR_MS);
const scanOf = (clusterId: string, scanStatus: ClusterScan['scanStatus'], sinceSentMs: number): ClusterScan => {
  const moment = new Date(sentAt.getTime() + sinceSentMs);
  return { clusterId, scanStatus, startTime: moment, endTime: scanStatus === 'scanning' ? null : moment, items: [] };
};
const aPage = (rows: ClusterScan[], nextOffset: number | null = null): ListCallAnswer => ({
  outcome: { kind: 'read', page: { rows, rowsSeen: rows.length, total: null, nextOffset }, evidence: noEvidence },
  sent: true,
  durationMs: 3,
  serverDate: null,
  clockOffsetMs: null,
});
const notRead: ListCallAnswer = {
  outcome: answered.gatewayDown,
  sent: true,
  durationMs: 3,
  serverDate: null,
  clockOffsetMs: null,
};

/** A call that was sent and never answered. */
const lose = async (clusterIds: string[]): Promise<{ request: string; callId: string }> => {
  const request = await world.aRequest({ clusterIds });
  const call = await world.startAndSettle(answered.lost);
  sentAt = call.at;
  return { request, callId: call.id };
};
const stateOf = async (callId: string): Promise<string> =>
  (await world.prisma.call.findUniqueOrThrow({ where: { id: callId } })).state;

describe('a call whose fate is unknown', () => {
  it('is looked up no sooner than its lease and the grace are over', async () => {
    await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS - 2_000);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(2_000);
    expect((await world.lookAtLists()).kind).toBe('started');
  });

  it('was carried out where its clusters scan, or have times after the sending', async () => {
    const { request, callId } = await lose(['a', 'b', 'c']);
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(
      aPage([scanOf('a', 'scanning', 1_000), scanOf('b', 'failed', 20_000), scanOf('c', 'success', 9_000)]),
    );
    expect(await world.counts(request)).toEqual({ accepted: 3 });
    expect(await stateOf(callId)).toBe('accepted');
    expect((await world.look()).kind).toBe('nothing');
  });

  it('was not where all failures are old ones: it is sent again, an attempt spent', async () => {
    const { request, callId } = await lose(['a', 'b']);
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(aPage([old('a'), old('b'), old('z')]));
    expect(await stateOf(callId)).toBe('not_carried_out');
    expect((await world.targets(request))['a']).toMatchObject({ state: 'waiting', attempts: 1 });
    await world.database.advance(HOUR_MS);
    expect(clustersOf(await world.start())).toEqual(['a', 'b']);
  });

  it('keeps those that were taken, and lets the others and whoever waits for them go on', async () => {
    const { request, callId } = await lose(['a', 'b']);
    const parked = await world.aRequest({ clusterIds: ['a', 'b'], caller: 'other' });
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(aPage([scanOf('a', 'scanning', 1_000), old('b')]));
    expect(await stateOf(callId)).toBe('partly_accepted');
    expect(await world.counts(request)).toEqual({ accepted: 1, waiting: 1 });
    await world.database.advance(HOUR_MS);
    expect(clustersOf(await world.start())).toEqual(['b']);
    expect(await world.counts(parked)).toEqual({ waiting: 1, sending: 1 });
  });

  it('is read page by page, each in a slot of the list lane', async () => {
    await open2({ listCalls: 2 });
    const { request } = await lose(['a', 'b', 'c']);
    await world.database.advance(LOOKUP_DUE_MS);
    expect((await world.lookUp(aPage([old('a')], 200))).job.offset).toBe(0);
    expect((await world.lookUp(aPage([old('x')], 400))).job.offset).toBe(200);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(60_000);
    await world.lookUp(aPage([scanOf('b', 'scanning', 0), scanOf('c', 'scanning', 0)]));
    expect(await world.counts(request)).toEqual({ waiting: 1, accepted: 2 });
  });

  it('asks for a cluster by itself that no page showed, before it counts as gone', async () => {
    const { request } = await lose(['a', 'b', 'c']);
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(aPage([scanOf('a', 'scanning', 0)]));
    expect(await world.counts(request)).toEqual({ unknown: 3 });
    expect((await world.lookUp(aPage([scanOf('b', 'scanning', 0)]))).job.filter.clusterId).toBe('b');
    expect((await world.lookUp(aPage([]))).job.filter.clusterId).toBe('c');
    expect(await world.counts(request)).toEqual({ accepted: 2, waiting: 1 });
  });

  it('is asked for again while the upstream cannot be read, and ends as unverified after two hours', async () => {
    const { request, callId } = await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(notRead);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    expect(await world.counts(request)).toEqual({ unknown: 1 });
    await world.database.advance(3 * HOUR_MS);
    await world.lookUp(notRead);
    expect(await world.counts(request)).toEqual({ unverified: 1 });
    expect((await world.targets(request))['a']).toMatchObject({ reasonCode: 'lookup_failed' });
    expect(await stateOf(callId)).toBe('unknown');
  });

  it('ends as unverified only for the clusters that no page told anything of', async () => {
    const { request, callId } = await lose(['a', 'b', 'c']);
    const parked = await world.aRequest({ clusterIds: ['a', 'b', 'c'], caller: 'other' });
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(LOOKUP_DUE_MS);
    const mute = { ...old('a'), scanStatus: null, startTime: null, endTime: null };
    await world.lookUp(aPage([mute, scanOf('b', 'scanning', 1_000)]));
    expect((await world.lookUp(aPage([mute]))).job.filter.clusterId).toBe('a');
    expect((await world.lookUp(aPage([old('c')]))).job.filter.clusterId).toBe('c');
    expect((await world.lookUp(aPage([mute]))).job.filter.clusterId).toBe('a');
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(3 * HOUR_MS);
    expect((await world.lookUp(aPage([mute]))).job.filter.clusterId).toBe('a');
    expect(await world.counts(request)).toEqual({ unverified: 1, accepted: 1, waiting: 1 });
    expect((await world.targets(request))['a']).toMatchObject({ reasonCode: 'lookup_failed' });
    expect(await world.counts(parked)).toEqual({ unverified: 1, waiting: 2 });
    expect(await stateOf(callId)).toBe('partly_accepted');
    await world.database.advance(HOUR_MS);
    expect(clustersOf(await world.start())).toEqual(['c']);
  });

  it('is looked up while an operator keeps its project: reading is not sending', async () => {
    const { request } = await lose(['a']);
    await world.control.pauseProject(PROJECT, true, { caller: 'operator', keyId: crypto.randomUUID() });
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(aPage([scanOf('a', 'scanning', 1_000)]));
    expect(await world.counts(request)).toEqual({ accepted: 1 });
  });

  it('is sent again after two hours where the policy says so', async () => {
    await world.close();
    const lookup = { ...world.config.policy.lookup, giveUpAs: 'send_again' } as const;
    await open({ policy: { lookup } });
    const { request } = await lose(['a']);
    await world.database.advance(4 * HOUR_MS);
    await world.lookUp(notRead);
    expect(await world.counts(request)).toEqual({ waiting: 1 });
  });

  it('is looked up by one at a time, and by another when that one is gone', async () => {
    await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS);
    const turns = await Promise.all([1, 2, 3, 4].map(() => world.lookAtLists()));
    expect(turns.filter(({ kind }) => kind === 'started')).toHaveLength(1);
    await world.database.advance(30_000);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(16_000);
    expect((await world.lookAtLists()).kind).toBe('started');
  });

  it('believes the first of two lookups, whatever the second says', async () => {
    const { request } = await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS);
    const first = await world.lookAtLists();
    await world.database.advance(46_000);
    const second = await world.lookAtLists();
    if (first.kind !== 'started' || second.kind !== 'started') throw new Error('both are due');
    await world.settleList(second.started, aPage([scanOf('a', 'scanning', 0)]));
    await world.settleList(first.started, aPage([old('a')]));
    expect(await world.counts(request)).toEqual({ accepted: 1 });
  });

  it("reads times by the page's own clock: no answer may have told it before", async () => {
    const { request } = await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS);
    // Ten minutes behind ours, the upstream has scanned it right after the call.
    const page = aPage([scanOf('a', 'failed', -600_000 + 2_000)]);
    await world.lookUp({ ...page, clockOffsetMs: -600_000 });
    expect(await world.counts(request)).toEqual({ accepted: 1 });
  });

  it('waits before it asks again where a page told nothing new', async () => {
    const { request, callId } = await lose(['a']);
    await world.database.advance(LOOKUP_DUE_MS);
    const mute = { ...scanOf('a', null, 0), startTime: null, endTime: null };
    for (let times = 0; times < 2; times += 1) await world.lookUp(aPage([mute]));
    expect(await world.lookAtLists()).toMatchObject({ kind: 'nothing', nextLookAt: expect.any(Date) });
    expect(await world.counts(request)).toEqual({ unknown: 1 });
    await world.database.advance(3 * HOUR_MS);
    await world.lookUp(aPage([mute]));
    expect(await world.counts(request)).toEqual({ unverified: 1 });
    expect(await world.prisma.liveCluster.count({ where: { callId } })).toBe(0);
  });

  it('looks a whole task up in the list of tasks', async () => {
    const request = await world.aRequest();
    const call = await world.startAndSettle(answered.lost);
    await world.database.advance(LOOKUP_DUE_MS);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    const task = {
      taskId: call.taskId,
      taskStatus: 'running' as const,
      startTime: null,
      endTime: null,
      estimatedMinutes: null,
      scanningClusters: 3,
      successClusters: 0,
      failedClusters: 2,
    };
    const page = { rows: [task], rowsSeen: 1, total: 1, nextOffset: null };
    const answer: ListCallAnswer = {
      outcome: { kind: 'read', page, evidence: noEvidence },
      sent: true,
      durationMs: 1,
      serverDate: null,
      clockOffsetMs: null,
    };
    await world.lookUp(answer, world.laneFor('listTasks'));
    expect(await world.counts(request)).toEqual({ accepted: 1 });
  });
});

describe('an answer that comes late', () => {
  it.each([
    ['accepted', { accepted: 1 }],
    ['throttled', { waiting: 1 }],
    ['badCluster', { rejected: 1 }],
    ['noConnection', { waiting: 1 }],
  ] as const)('is written down while the call is unknown: %s', async (kind, counts) => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    const call = await world.start();
    await world.settle(call, answered.lost);
    expect(await world.settle(call, answered[kind])).not.toBeNull();
    expect(await world.counts(request)).toEqual(counts);
    expect(await world.settle(call, answered.badTask)).toBeNull();
  });

  it('takes back what still waits because of the call, and leaves what was sent again where it is', async () => {
    const { request, callId } = await lose(['a', 'b']);
    await world.database.advance(LOOKUP_DUE_MS);
    await world.lookUp(aPage([old('a'), old('b')]));
    await world.prisma.$executeRaw`UPDATE target SET due_at = rescan_now() + interval '1 day' WHERE cluster_id = 'b'`;
    await world.database.advance(HOUR_MS);
    expect(clustersOf(await world.start())).toEqual(['a']);
    expect(await world.settle({ id: callId }, answered.accepted)).not.toBeNull();
    expect(await world.counts(request)).toEqual({ sending: 1, accepted: 1 });
    expect((await world.targets(request))['b']).toMatchObject({ state: 'in_call', attempts: 0 });
  });
});

describe('an operator', () => {
  const operator = { caller: 'operator', keyId: crypto.randomUUID() };

  it.each([
    ['accepted', { accepted: 1 }],
    ['not_carried_out', { waiting: 1 }],
  ] as const)('settles an unknown call by hand as %s, once', async (as, counts) => {
    const { request, callId } = await lose(['a']);
    await world.resolver.byHand(callId, as, 'seen in the vendor’s console', operator);
    expect(await world.counts(request)).toEqual(counts);
    await expect(world.resolver.byHand(callId, as, 'again', operator)).rejects.toMatchObject({ code: 'conflict' });
    const events = await world.prisma.event.findMany({ where: { callId, actor: 'operator' } });
    expect(events).toMatchObject([{ kind: 'call.resolved', actor: 'operator', data: { as } }]);
  });
});

async function open2({ listCalls }: { listCalls: number }): Promise<void> {
  await world.close();
  const limit = { calls: listCalls, windowMs: 60_000 };
  const limits = { retryTask: unlimited, listTasks: limit, listTaskResources: limit };
  await open({ credentials: [{ ...aCredential(), limits }] });
}
