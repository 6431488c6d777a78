import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';
import { aCredential, answered, CallingWorld, clusterIds, clustersOf, unlimited } from '../../support/calling-world.js';
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
  it('ends those that need no call, and puts off those that are scanning', async () => {
    const ids = clusterIds(250);
    const request = await wantedBy([...ids, 'gone', 'well', 'busy']);
    const before = await world.aRequest({ clusterIds: ['well'], caller: 'other' });
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
    await wantedBy(clusterIds(300));
    await world.list(tasks({ failed: 300, success: 9_000 }), listTasks());
    const request = await world.aRequest({ caller: 'other' });
    await world.list(
      clusters(
        clusterIds(200).map((id) => scan(id)),
        300,
        200,
      ),
    );
    await world.list(
      clusters(
        clusterIds(300)
          .slice(200)
          .map((id) => scan(id)),
        300,
      ),
    );
    expect(await world.counts(request)).toEqual({ waiting: 1 });
    expect(await isListDue()).toBe(true);
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
