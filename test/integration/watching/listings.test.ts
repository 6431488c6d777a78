import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';
import { aCredential, answered, CallingWorld, clusterIds, clustersOf, unlimited } from '../../support/calling-world.js';
import { cancelHeld } from '../../support/held-cancel.js';
import { expectInvariants } from '../../support/invariants.js';
import { about, clusters, read, scan, tasks } from '../../support/list-pages.js';

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

/** All of them have failed, and nothing else has. */
const listed = async (ids: string[]): Promise<void> => {
  await world.list(tasks({ failed: ids.length, success: 9_000 }), listTasks());
  for (let from = 0; from < ids.length; from += 200) {
    const rows = ids.slice(from, from + 200).map((id) => scan(id));
    await world.list(clusters(rows, ids.length, from + 200 < ids.length ? from + 200 : null));
  }
};
const exactly = async (ids: string[]): Promise<string> => {
  const request = await wantedBy(ids);
  await listed(ids);
  return request;
};
describe('a request for more clusters than one call takes', () => {
  it('goes out as one call where it wants exactly what has failed', async () => {
    const ids = clusterIds(450);
    const request = await wantedBy(ids);
    await world.list(tasks({ failed: 450, success: 5_000 }), listTasks());
    expect((await world.look()).kind).toBe('nothing');
    await world.list(
      clusters(
        ids.slice(0, 200).map((id) => scan(id)),
        450,
        200,
      ),
    );
    await world.list(
      clusters(
        ids.slice(200, 400).map((id) => scan(id)),
        450,
        400,
      ),
    );
    expect((await world.look()).kind).toBe('nothing');
    await world.list(
      clusters(
        ids.slice(400).map((id) => scan(id)),
        450,
      ),
    );
    const call = await world.startAndSettle(answered.accepted);
    expect(clustersOf(call)).toEqual(['*']);
    expect(await world.counts(request)).toEqual({ accepted: 450 });
    const row = await world.prisma.call.findUniqueOrThrow({ where: { id: call.id } });
    expect(row).toMatchObject({ rangeType: 'all_failed_cluster', clusterCount: 450 });
    expect(row.targetIds).toHaveLength(450);
  });

  it('does so for whoever else wants some of them, and leaves those alone that have not failed', async () => {
    const ids = clusterIds(300);
    const large = await wantedBy([...ids, 'well']);
    const small = await world.aRequest({ clusterIds: [ids[7] ?? ''], caller: 'other', scanTypes: ['benchmark'] });
    await world.list(tasks({ failed: 300, success: 9_000 }), listTasks());
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
    expect(await world.counts(large)).toEqual({ accepted: 300, waiting: 1 });
    expect(await world.counts(small)).toEqual({ accepted: 1 });
    expect(clustersOf(await world.start())).toEqual(['well']);
  });

  it.each([
    ['a cluster has failed that nobody wants', (ids: string[]) => [...ids, 'foreign'], {}],
    ['a scan item has failed that nobody wants', (ids: string[]) => ids, { scanTypes: ['cluster_vul' as const] }],
  ])('goes by its clusters where %s', async (_case, failed, changed) => {
    const ids = clusterIds(250);
    const rows = failed(ids).map((id) => scan(id));
    // Something that waits is no failed cluster: so many wait, and yet not all that has failed is wanted.
    await world.aRequest({ clusterIds: [...ids, 'well'], ...changed });
    await world.look();
    await world.list(tasks({ failed: rows.length, success: 9_000 }), listTasks());
    await world.list(clusters(rows.slice(0, 200), rows.length, 200));
    await world.list(clusters(rows.slice(200), rows.length));
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it.each([
    ['less is wanted than has failed', tasks({ failed: 301 })],
    ['one call takes all that has failed', tasks({ failed: 150 })],
    ['some clusters are scanning', tasks({ failed: 300, scanning: 1 })],
    ['the task runs', tasks({ failed: 300 }, 'running')],
    ['the upstream does not know the task', read({ rows: [], rowsSeen: 0, total: 0, nextOffset: null })],
    ['it cannot be read', { outcome: answered.gatewayDown, ...about }],
  ])('leaves at once where %s', async (_case, answer) => {
    await wantedBy(clusterIds(300));
    await world.list(answer, listTasks());
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('waits for no listing that does not come', async () => {
    await wantedBy(clusterIds(300));
    await world.database.advance(listing.holdMs);
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('goes while another is read where the last one told nothing, and waits again a good while later', async () => {
    const unknown = read({ rows: [], rowsSeen: 0, total: 0, nextOffset: null });
    await wantedBy(clusterIds(900));
    await world.list(unknown, listTasks());
    await world.start();
    await world.database.advance(listing.keepMs + 1_000);
    await world.start();
    await world.list(unknown, listTasks());
    await world.database.advance(3 * listing.keepMs);
    expect([(await world.look()).kind, await isListDue()]).toEqual(['nothing', true]);
  });

  it('is held for no longer in all, though its pages come on, and a call for its task has left', async () => {
    const ids = clusterIds(900);
    await wantedBy(ids);
    await world.list(tasks({ failed: 900, success: 9_000 }), listTasks());
    await world.aRequest({ clusterIds: clusterIds(201, 'u'), caller: 'hurried', priority: 'urgent' });
    await world.start();
    for (let page = 0; page < 4; page += 1) {
      const rows = ids.slice(200 * page, 200 * page + 200).map((id) => scan(id));
      await world.list(clusters(rows, 900, 200 * page + 200));
      // What is left of the urgent one.
      if (page === 0) await world.start();
      if (page < 3) await world.database.advance(80_000);
    }
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(61_000);
    expect((await world.look()).kind).toBe('started');
  });

  it('waits for none where it is urgent', async () => {
    await world.aRequest({ clusterIds: clusterIds(300), priority: 'urgent' });
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('waits for none beyond its deadline', async () => {
    const deadline = new Date(Date.now() + listing.holdMs / 2);
    await world.aRequest({ clusterIds: clusterIds(300), deadline });
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('holds up no other request of its caller, and no small one for its task', async () => {
    await wantedBy(clusterIds(300));
    await world.aRequest({ clusterIds: ['a'], taskId: 'task-2' });
    await world.database.advance(300);
    expect(clustersOf(await world.start())).toEqual(['a']);
    await world.aRequest({ clusterIds: ['b'], caller: 'small' });
    const call = clustersOf(await world.start());
    expect([call.length, call.includes('b')]).toEqual([200, true]);
  });

  it('begins anew where the list changes meanwhile, and gives up where it goes on changing', async () => {
    const ids = clusterIds(250);
    await wantedBy(ids);
    for (let tries = 0; tries < 3; tries += 1) {
      expect((await world.look()).kind).toBe('nothing');
      await world.list(tasks({ failed: 250, success: 9_000 }), listTasks());
      await world.list(
        clusters(
          ids.slice(0, 200).map((id) => scan(id)),
          249,
          200,
        ),
      );
    }
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('takes a list with a row twice for one that misses another', async () => {
    const ids = clusterIds(250);
    await wantedBy(ids);
    await world.list(tasks({ failed: 250, success: 9_000 }), listTasks());
    await world.list(
      clusters(
        ids.slice(0, 200).map((id) => scan(id)),
        250,
        200,
      ),
    );
    await world.list(
      clusters(
        ids.slice(199, 249).map((id) => scan(id)),
        250,
      ),
    );
    expect(await isListDue()).toBe(true);
  });

  it('goes by its clusters once a call of its task had an effect,', async () => {
    const ids = clusterIds(250);
    await exactly(ids);
    const call = await world.startAndSettle(answered.lost);
    expect(clustersOf(call)).toEqual(['*']);
    await world.resolver.byHand(call.id, 'not_carried_out', 'by the test', {
      caller: 'tester',
      keyId: crypto.randomUUID(),
    });
    await world.database.advance(60_000);
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('goes again as one call where the first one was only throttled', async () => {
    const ids = clusterIds(250);
    await exactly(ids);
    expect(clustersOf(await world.startAndSettle(answered.throttled))).toEqual(['*']);
    await world.database.advance(2 * 60_000);
    expect(clustersOf(await world.start())).toEqual(['*']);
  });

  it('goes by its clusters where the one call was rejected, so that the culprit is found', async () => {
    const ids = clusterIds(250);
    const request = await exactly(ids);
    expect(clustersOf(await world.startAndSettle(answered.badCluster))).toEqual(['*']);
    expect(await world.counts(request)).toEqual({ waiting: 250 });
    expect(Object.values(await world.targets(request)).every(({ attempts }) => attempts === 0)).toBe(true);
    expect(clustersOf(await world.start())).toHaveLength(200);
  });

  it('lets others of its task go once it is accepted', async () => {
    await exactly(clusterIds(250));
    await world.startAndSettle(answered.accepted);
    await world.aRequest({ clusterIds: ['new'], caller: 'other', priority: 'urgent' });
    expect(clustersOf(await world.start())).toEqual(['new']);
  });

  it('is no whole set any more where a wish is cancelled while it is taken', async () => {
    const ids = clusterIds(250);
    await world.aRequest({ clusterIds: ids.slice(1) });
    const cancelled = await world.aRequest({ clusterIds: ids.slice(0, 1), caller: 'other', callbackUrl: null });
    expect((await world.look()).kind).toBe('nothing');
    await listed(ids);
    const { committed } = await cancelHeld(world, cancelled);
    const call = await world.start();
    await committed;
    expect(clustersOf(call)).toHaveLength(200);
    expect(clustersOf(call)).not.toContain(ids[0]);
  });

  it('is looked up by its clusters where its fate is unknown', async () => {
    const ids = clusterIds(250);
    const request = await exactly(ids);
    await world.startAndSettle(answered.lost);
    await world.database.advance(135_000);
    await world.lookUp(
      clusters(
        ids.slice(0, 200).map((id) => scan(id, 'scanning')),
        250,
        200,
      ),
    );
    await world.lookUp(
      clusters(
        ids.slice(200).map((id) => scan(id, 'scanning')),
        250,
      ),
    );
    expect(await world.counts(request)).toEqual({ accepted: 250 });
  });
});

it('reads the next page only once, and forgets one that comes late', async () => {
  const ids = clusterIds(250);
  await wantedBy(ids);
  await world.list(tasks({ failed: 250, success: 9_000 }), listTasks());
  const first = await world.lookAtLists();
  if (first.kind !== 'started') throw new Error('no page is due');
  await world.database.advance(46_000);
  const again = await world.list(
    clusters(
      ids.slice(0, 200).map((id) => scan(id)),
      250,
      200,
    ),
  );
  expect(again.job.offset).toBe(0);
  await world.settleList(first.started, clusters([scan('other')], 250, 1));
  expect(
    (
      await world.list(
        clusters(
          ids.slice(200).map((id) => scan(id)),
          250,
        ),
      )
    ).job.offset,
  ).toBe(200);
  expect(clustersOf(await world.start())).toEqual(['*']);
});
