import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';
import {
  aCredential,
  answered,
  CallingWorld,
  clusterIds,
  clustersOf,
  TASK,
  unlimited,
} from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { clusters, read, scan, tasks } from '../../support/list-pages.js';

const HOUR_MS = 3_600_000;
const { listing } = defaultRetryPolicy;

let world: CallingWorld;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })], policy: { listing } });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const listTasks = (): CallingWorld['lane'] => world.laneFor('listTasks');
/** A large request makes the lane look, and so wants a listing. */
const wantedBy = async (ids: string[], caller = 'tester'): Promise<string> => {
  const request = await world.aRequest({ clusterIds: ids, caller });
  expect((await world.look()).kind).toBe('nothing');
  return request;
};
const isListDue = async (): Promise<boolean> => (await world.lookAtLists(listTasks())).kind === 'started';

describe('a listing of all clusters', () => {
  it('ends those that need no call, and lets those wait that are scanning', async () => {
    const ids = clusterIds(250);
    const request = await wantedBy([...ids, 'gone', 'well', 'busy']);
    const before = await world.aRequest({ clusterIds: ['well'], caller: 'other' });
    const urgent = await world.aRequest({ clusterIds: ['busy'], caller: 'hurried', priority: 'urgent' });
    await world.list(tasks({ failed: 250, success: 2 }), listTasks());
    const late = await world.aRequest({ clusterIds: ['well'], caller: 'late' });
    const rows = [...ids.map((id) => scan(id)), scan('well', 'success'), scan('busy', 'scanning')];
    await world.list(clusters(rows.slice(0, 200), 252, 200));
    await world.list(clusters(rows.slice(200), 252));
    expect(await world.counts(request)).toEqual({ waiting: 251, notFailed: 1, notFound: 1 });
    expect((await world.targets(request))['well']).toMatchObject({
      result: 'not_failed',
      reasonCode: 'listed_as_success',
    });
    expect((await world.targets(request))['gone']).toMatchObject({ result: 'not_found', reasonCode: 'not_listed' });
    expect(await world.state(before)).toBe('finished');
    const ofBusy = { clusterId: 'busy', requestId: request };
    const busy = await world.prisma.target.findFirstOrThrow({ where: ofBusy, select: { dueAt: true } });
    expect(busy.dueAt.getTime()).toBeGreaterThan(Date.now() + 5 * HOUR_MS);
    expect(clustersOf(await world.start())).toContain('busy');
    expect(await world.counts(urgent)).toEqual({ sending: 1 });
    // It was asked after the listing had begun, and may have failed since.
    expect(await world.counts(late)).toEqual({ waiting: 1 });
  });
});

describe('a request for the whole task', () => {
  const aWholeTask = async (changed = {}): Promise<string> => {
    const request = await world.aRequest(changed);
    expect((await world.look()).kind).toBe('nothing');
    return request;
  };

  it('is resolved to its failed clusters', async () => {
    const request = await aWholeTask();
    await world.list(tasks({ failed: 2, success: 9_000 }), listTasks());
    await world.list(clusters([scan('a'), scan('b')]));
    expect(await world.counts(request)).toEqual({ waiting: 2 });
    expect(await world.prisma.request.findUniqueOrThrow({ where: { id: request } })).toMatchObject({
      resolved: true,
      total: 2,
    });
    expect(clustersOf(await world.start())).toEqual(['a', 'b']);
  });

  it('goes out as one call where they are many', async () => {
    const ids = clusterIds(201);
    const request = await aWholeTask();
    await world.list(tasks({ failed: 201, success: 9_000 }), listTasks());
    await world.list(
      clusters(
        ids.slice(0, 200).map((id) => scan(id)),
        201,
        200,
      ),
    );
    await world.list(
      clusters(
        ids.slice(200).map((id) => scan(id)),
        201,
      ),
    );
    expect(clustersOf(await world.startAndSettle(answered.accepted))).toEqual(['*']);
    expect(await world.counts(request)).toEqual({ accepted: 201 });
  });

  it('ends where nothing has failed', async () => {
    const request = await aWholeTask();
    await world.list(tasks({ failed: 0, success: 9 }), listTasks());
    expect(await world.counts(request)).toEqual({ notFailed: 1 });
    expect(await world.state(request)).toBe('finished');
  });

  it('is not told anything by a listing that began before it', async () => {
    await aWholeTask();
    await world.list(tasks({ failed: 2, scanning: 1, success: 9_000 }, 'running'), listTasks());
    const request = await world.aRequest({ caller: 'other' });
    await world.list(clusters([scan('a'), scan('b')]));
    expect(await world.counts(request)).toEqual({ waiting: 1 });
    expect(await isListDue()).toBe(true);
  });

  it('is told by one that is exact, which is kept for whoever waits for it', async () => {
    const ids = clusterIds(300);
    const large = await wantedBy(ids);
    await world.list(tasks({ failed: 300, success: 9_000 }), listTasks());
    const whole = await world.aRequest({ caller: 'other' });
    await world.list(
      clusters(
        ids.slice(0, 200).map((id) => scan(id)),
        300,
        200,
      ),
    );
    await world.list(
      clusters(
        ids.slice(200).map((id) => scan(id)),
        300,
      ),
    );
    expect(clustersOf(await world.startAndSettle(answered.accepted))).toEqual(['*']);
    expect([await world.counts(large), await world.counts(whole)]).toEqual([{ accepted: 300 }, { accepted: 300 }]);
  });

  it('is not resolved by failed clusters alone once its call has left', async () => {
    const request = await world.aRequest({ priority: 'urgent' });
    const call = await world.startAndSettle(answered.lost);
    const other = await world.aRequest({ caller: 'other', enterpriseProjectId: '0' });
    await world.database.advance(120_000);
    await world.prisma.transact((tx) => world.wantListing(tx, TASK));
    await world.list(tasks({ failed: 0, success: 9_000, scanning: 3 }, 'running'), listTasks());
    await world.resolver.byHand(call.id, 'accepted', 'by the test', { caller: 'tester', keyId: crypto.randomUUID() });
    await world.list(clusters([], 0));
    expect(await world.counts(request)).toEqual({ accepted: 1 });
    expect(await world.counts(other)).toEqual({ notFailed: 1 });
  });

  it('takes back all that it has become when its answer comes late', async () => {
    const request = await world.aRequest({ priority: 'urgent' });
    const call = await world.startAndSettle(answered.lost);
    await world.resolver.byHand(call.id, 'not_carried_out', 'by the test', {
      caller: 'tester',
      keyId: crypto.randomUUID(),
    });
    await world.prisma.transact((tx) => world.wantListing(tx, TASK));
    await world.list(tasks({ failed: 2, success: 9_000 }), listTasks());
    await world.list(clusters([scan('a'), scan('b')]));
    expect(await world.counts(request)).toEqual({ waiting: 2 });
    await world.settle(call, answered.accepted);
    expect(await world.counts(request)).toEqual({ accepted: 2 });
    await world.database.advance(7 * HOUR_MS);
    await world.verdicts.end();
    expect(await world.counts(request)).toEqual({ unverified: 2 });
  });

  it('comes to its end where its verdict is overdue just when it is resolved', async () => {
    const request = await world.aRequest({ priority: 'urgent' });
    await world.startAndSettle(answered.accepted);
    await world.database.advance(7 * HOUR_MS);
    await world.list(tasks({ failed: 3, success: 1 }), listTasks());
    const turn = await world.lookAtLists();
    if (turn.kind !== 'started') throw new Error('no page is due');
    const page = clusters([scan('a'), scan('b'), scan('c'), scan('well', 'success')]);
    await Promise.all([world.settleList(turn.started, page), world.verdicts.end()]);
    await world.verdicts.end();
    expect(await world.state(request)).toBe('finished');
  });

  it.each(['at once, being urgent', 'unlisted'])(
    'that left %s is resolved from what is seen after its call',
    async (how) => {
      const request = how === 'unlisted' ? await aWholeTask() : await world.aRequest({ priority: 'urgent' });
      if (how === 'unlisted')
        await world.list(read({ rows: [], rowsSeen: 0, total: 0, nextOffset: null }), listTasks());
      const call = await world.startAndSettle(answered.accepted);
      expect(clustersOf(call)).toEqual(['*']);
      expect(await isListDue()).toBe(false);
      await world.database.advance(90_000);
      await world.list(tasks({ failed: 1, success: 2, scanning: 1 }, 'running'), listTasks());
      const after = new Date(call.at.getTime() + 5_000);
      const before = new Date(call.at.getTime() - HOUR_MS);
      const rows = [
        scan('healed', 'success', { startTime: after, endTime: after }),
        scan('well', 'success', { startTime: before, endTime: before }),
        scan('busy', 'scanning'),
        scan('again', 'failed', { startTime: after, endTime: after }),
      ];
      await world.list(clusters(rows));
      expect(await world.counts(request)).toEqual({ accepted: 3 });
      expect(Object.keys(await world.targets(request)).sort()).toEqual(['again', 'busy', 'healed']);
      const row = await world.prisma.call.findUniqueOrThrow({ where: { id: call.id } });
      expect(row.clusterCount).toBe(3);
      expect(row.targetIds).toHaveLength(3);
    },
  );

  it('ends where its call can have scanned nothing', async () => {
    const request = await world.aRequest({ priority: 'urgent' });
    const call = await world.startAndSettle(answered.accepted);
    await world.database.advance(90_000);
    await world.list(tasks({ failed: 0, success: 1 }), listTasks());
    const before = new Date(call.at.getTime() - HOUR_MS);
    await world.list(clusters([scan('well', 'success', { startTime: before, endTime: before })]));
    expect(await world.counts(request)).toEqual({ notFailed: 1 });
    expect(await world.state(request)).toBe('finished');
  });
});
