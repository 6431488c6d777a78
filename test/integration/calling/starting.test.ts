import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { retryTaskBody, type ClusterRange } from '../../../src/upstream/wire.js';
import { aCredential, answered, CallingWorld, clusterIds, clustersOf, unlimited } from '../../support/calling-world.js';
import { cancelHeld } from '../../support/held-cancel.js';
import { expectInvariants } from '../../support/invariants.js';

let world: CallingWorld;

describe('starting a call', () => {
  beforeEach(async () => {
    world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })] });
  });
  afterEach(async () => {
    await expectInvariants(world.prisma);
    await world.close();
  });

  it('writes the call before anything is sent, with its lease and the hash of its body', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    const call = await world.start();
    const row = await world.prisma.call.findUniqueOrThrow({ where: { id: call.id }, omit: { slotFreeAt: true } });
    expect(row).toMatchObject({
      state: 'sending',
      laneId: 'main.retryTask',
      clusterCount: 2,
      rangeType: 'specific_cluster',
    });
    expect(row.leaseUntil.getTime() - row.startedAt.getTime()).toBe(45_000);
    expect(Buffer.from(row.bodySha256).toString('hex')).toBe(createHash('sha256').update(call.body).digest('hex'));
    expect(await world.counts(request)).toEqual({ sending: 2 });
  });

  it('takes at most 200 clusters, and fills up every call while more are waiting', async () => {
    await world.aRequest({ clusterIds: clusterIds(450) });
    const sizes = [];
    for (let turn = await world.look(); turn.kind === 'started'; turn = await world.look()) {
      sizes.push(clustersOf(turn.call).length);
    }
    expect(sizes).toEqual([200, 200, 50]);
  });

  it('shares a call between requests and sends a cluster once, with the scan types united', async () => {
    const first = await world.aRequest({ clusterIds: ['a', 'b'], scanTypes: ['cluster_vul'], caller: 'one' });
    const second = await world.aRequest({ clusterIds: ['b', 'c'], scanTypes: ['benchmark'], caller: 'two' });
    const call = await world.start();
    expect(call.range).toEqual({
      rangeType: 'specific_cluster',
      clusters: [
        { clusterId: 'a', scanTypes: 0b001 },
        { clusterId: 'b', scanTypes: 0b101 },
        { clusterId: 'c', scanTypes: 0b100 },
      ],
    });
    expect(await world.counts(first)).toEqual({ sending: 2 });
    expect(await world.counts(second)).toEqual({ sending: 2 });
    expect((await world.look()).kind).toBe('nothing');
  });

  it('holds no cluster for somebody who is cancelled while it is taken', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    const { committed } = await cancelHeld(
      world,
      await world.aRequest({ clusterIds: ['b'], caller: 'other', callbackUrl: null }),
    );
    const call = await world.start();
    await committed;
    expect(clustersOf(call)).toEqual(['a']);
    expect(await world.prisma.liveCluster.findMany({ select: { clusterId: true } })).toEqual([{ clusterId: 'a' }]);
    await world.aRequest({ clusterIds: ['b'], caller: 'next' });
    expect(clustersOf(await world.start())).toEqual(['b']);
  });

  it('fills up even where hundreds of requests want the same cluster', async () => {
    for (let n = 0; n < 250; n += 1) await world.aRequest({ clusterIds: ['popular'], caller: `caller-${n}` });
    await world.aRequest({ clusterIds: clusterIds(150) });
    expect(clustersOf(await world.start())).toHaveLength(151);
  });

  it('takes the most urgent first, then the oldest, and gives empty places to the rest', async () => {
    await world.aRequest({ clusterIds: clusterIds(150, 'background'), priority: 'background' });
    await world.aRequest({ clusterIds: clusterIds(100, 'normal') });
    await world.aRequest({ clusterIds: clusterIds(60, 'urgent'), priority: 'urgent' });
    const clusters = clustersOf(await world.start());
    const of = (prefix: string): number => clusters.filter((cluster) => cluster.startsWith(prefix)).length;
    expect([of('urgent'), of('normal'), of('background')]).toEqual([60, 100, 40]);
  });

  it('opens the call for the scan task of the most urgent request', async () => {
    await world.aRequest({ clusterIds: ['a'], taskId: 'slow' });
    await world.aRequest({ clusterIds: ['b'], taskId: 'fast', priority: 'urgent' });
    expect((await world.start()).taskId).toBe('fast');
    expect((await world.start()).taskId).toBe('slow');
  });

  it('has a body that can be built again from what is stored', async () => {
    await world.aRequest({ clusterIds: ['a', 'b', 'c'], scanTypes: ['risk_assessment'] });
    await world.aRequest({ clusterIds: ['b'], caller: 'other' });
    const call = await world.start();
    const rows = await world.prisma.$queryRaw<ClusterRange[]>`
      SELECT t.cluster_id AS "clusterId", min(part.mask)::int AS "scanTypes"
        FROM call CROSS JOIN unnest(call.target_ids, call.scan_masks) WITH ORDINALITY AS part (id, mask, place)
        JOIN target AS t ON t.id = part.id
       WHERE call.id = ${call.id}::uuid GROUP BY t.cluster_id ORDER BY min(part.place)`;
    expect(retryTaskBody({ rangeType: 'specific_cluster', clusters: rows })).toBe(call.body);
  });

  it('parks what is in another live call until that call has ended', async () => {
    await world.aRequest({ clusterIds: ['a', 'b'] });
    const first = await world.start();
    const late = await world.aRequest({ clusterIds: ['b', 'c'], caller: 'late' });
    expect(clustersOf(await world.start())).toEqual(['c']);
    expect(await world.counts(late)).toEqual({ sending: 1, waiting: 1 });
    expect((await world.look()).kind).toBe('nothing');
    await world.settle(first, answered.throttled);
    await world.prisma.$executeRaw`UPDATE lane SET paused_until = NULL`;
    expect(clustersOf(await world.start())).toEqual(['a', 'b']);
    expect(await world.counts(late)).toEqual({ sending: 2 });
  });

  it('sends one cluster of two enterprise projects once at a time', async () => {
    await world.aRequest({ clusterIds: ['a'], enterpriseProjectId: '0' });
    await world.aRequest({ clusterIds: ['a'], enterpriseProjectId: 'all_granted_eps' });
    await world.start();
    expect((await world.look()).kind).toBe('nothing');
  });

  it('sends a whole task alone, and no whole task beside its clusters', async () => {
    const whole = await world.aRequest();
    const call = await world.start();
    expect(call.body).toBe('{"task_type":"cluster_scan","cluster_scan_info":{"range_type":"all_failed_cluster"}}');
    const clusters = await world.aRequest({ clusterIds: clusterIds(300) });
    expect((await world.look()).kind).toBe('nothing');
    await world.settle(call, answered.gatewayDown);
    const next = await world.start();
    expect(clustersOf(next)).toHaveLength(200);
    await world.database.advance(3_600_000);
    expect(clustersOf(await world.start())).toHaveLength(100);
    expect((await world.look()).kind).toBe('nothing');
    expect(await world.counts(whole)).toEqual({ waiting: 1 });
    expect(await world.counts(clusters)).toEqual({ sending: 300 });
  });

  it('starts a cluster once, however many look at the lane', async () => {
    await world.aRequest({ clusterIds: ['a', 'b'] });
    const turns = await Promise.all(Array.from({ length: 10 }, () => world.look()));
    expect(turns.filter(({ kind }) => kind === 'started')).toHaveLength(1);
  });

  it('sends nothing for a project that is paused, and nothing after a deadline', async () => {
    await world.aRequest({ clusterIds: ['a'], deadline: new Date(Date.now() + 60_000) });
    await world.prisma.$executeRaw`UPDATE project SET paused_at = rescan_now()`;
    expect((await world.look()).kind).toBe('nothing');
    await world.prisma.$executeRaw`UPDATE project SET paused_at = NULL`;
    await world.database.advance(61_000);
    expect((await world.look()).kind).toBe('nothing');
  });

  it('says when the next work is due', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    await world.startAndSettle(answered.agentOffline);
    const turn = await world.look();
    expect(turn).toMatchObject({ kind: 'nothing', nextLookAt: expect.any(Date) });
    if (turn.kind !== 'nothing' || !turn.nextLookAt) throw new Error('unreachable');
    await world.database.advance(turn.nextLookAt.getTime() - turn.now.getTime() + 1);
    expect(clustersOf(await world.start())).toEqual(['a']);
  });
});

describe('two lanes of one project', () => {
  beforeEach(async () => {
    const names = ['one', 'two'];
    world = await CallingWorld.open({ credentials: names.map((name) => aCredential({ name, retryTask: unlimited })) });
  });
  afterEach(async () => {
    await expectInvariants(world.prisma);
    await world.close();
  });

  it('never take the same cluster, even in the same moment', async () => {
    await world.aRequest({ clusterIds: clusterIds(1_000) });
    await world.aRequest({ clusterIds: clusterIds(500), enterpriseProjectId: 'other' });
    const drained = await Promise.all(
      [0, 1, 0, 1].map(async (index) => {
        const taken: string[] = [];
        for (let tries = 0; tries < 10; tries += 1) {
          const turn = await world.look(world.lanes[index]);
          if (turn.kind === 'started') taken.push(...clustersOf(turn.call));
        }
        return taken;
      }),
    );
    const all = drained.flat();
    expect(new Set(all).size).toBe(all.length);
    expect(all).toHaveLength(1_000);
  });
});
