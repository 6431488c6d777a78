import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';
import type { ClusterScan } from '../../../src/upstream/scan-tasks.js';
import type { StartedList } from '../../../src/watching/list-starter.js';
import {
  aCredential,
  answered,
  CallingWorld,
  clusterIds,
  clustersOf,
  noLimits,
  TASK,
} from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { about, clusters, runningTasks, scan, tasks } from '../../support/list-pages.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const { verdictTimeoutMs, listing } = defaultRetryPolicy;

let world: CallingWorld;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ limits: noLimits })] });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const listTasks = (): CallingWorld['lane'] => world.laneFor('listTasks');
const page = (rows: ClusterScan[], total = rows.length, next: number | null = null): Promise<StartedList> =>
  world.list(clusters(rows, total, next));
/** A listing of all clusters, which somebody wants who asks for the whole task; of these, each scans already. */
const listedAsScanning = async (...ids: string[]): Promise<void> => {
  await world.aRequest({ caller: 'whole' });
  await world.prisma.transact((tx) => world.wantListing(tx, TASK));
  await world.list(tasks({ failed: 1, scanning: ids.length }, 'running'), listTasks());
  await page([...ids.map((id) => scan(id, 'scanning')), scan('other')]);
  expect(clustersOf(await world.startAndSettle(answered.badTask))).toEqual(['other']);
};
/** The task does not run any more: its clusters are read next. */
const atRest = async (): Promise<void> => {
  await world.database.advance(MINUTE);
  await world.list(runningTasks([]), listTasks());
};
const target = async (request: string, id: string): Promise<object | undefined> => (await world.targets(request))[id];
const isWatched = async (): Promise<boolean> => (await world.prisma.watch.count()) > 0;

describe('a target whose cluster scans already', () => {
  it('is not sent while its scan task runs', async () => {
    await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await world.database.advance(MINUTE);
    await world.list(runningTasks([TASK]), listTasks());
    expect((await world.look()).kind).toBe('nothing');
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await atRest();
    // Nobody else is watched: it is asked for by itself.
    const { job } = await page([scan('busy', 'scanning')]);
    expect(job.filter).toEqual({ taskId: TASK, clusterId: 'busy' });
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(2 * MINUTE);
    expect((await world.lookAtLists(listTasks())).kind).toBe('started');
  });

  it('ends without a call where that scan succeeds', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await atRest();
    await page([scan('busy', 'success')]);
    expect(await target(request, 'busy')).toEqual({
      state: 'done',
      result: 'not_failed',
      attempts: 0,
      reasonCode: 'scanned_already',
    });
    expect([await world.state(request), await isWatched()]).toEqual(['finished', false]);
  });

  it('is sent at once where that scan fails, and takes its failure for no answer to the call', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await atRest();
    const [{ now } = { now: new Date() }] = await world.prisma.$queryRaw<{ now: Date }[]>`SELECT rescan_now() AS now`;
    const failure = scan('busy', 'failed', { endTime: now });
    await page([failure]);
    expect(clustersOf(await world.startAndSettle(answered.accepted))).toEqual(['busy']);
    await atRest();
    await page([failure]);
    expect(await world.counts(request)).toEqual({ accepted: 1 });
    await world.database.advance(MINUTE);
    await atRest();
    await page([scan('busy', 'failed', { endTime: new Date(now.getTime() + MINUTE) })]);
    expect(await world.counts(request)).toEqual({ scanFailed: 1 });
    expect(await isWatched()).toBe(false);
  });

  it('is not found where it is gone by then', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await atRest();
    await page([]);
    expect(await target(request, 'busy')).toMatchObject({ result: 'not_found', reasonCode: 'not_listed' });
  });

  it('is judged by the scan items that it wants', async () => {
    const one = await world.aRequest({ clusterIds: ['busy'], scanTypes: ['benchmark'] });
    const all = await world.aRequest({ clusterIds: ['busy'], caller: 'other' });
    await listedAsScanning('busy');
    await atRest();
    const items = (failed: 'failed' | 'scanning'): Partial<ClusterScan> => ({
      items: [
        { scanType: 'benchmark', status: 'success', failedReason: null },
        { scanType: 'cluster_vul', status: failed, failedReason: null },
      ],
    });
    await page([scan('busy', 'scanning', items('scanning'))]);
    expect([await world.counts(one), await world.counts(all)]).toEqual([{ waiting: 1 }, { waiting: 1 }]);
    await world.database.advance(MINUTE);
    await atRest();
    await page([scan('busy', 'failed', items('failed'))]);
    expect([await world.counts(one), await world.counts(all)]).toEqual([{ notFailed: 1 }, { waiting: 1 }]);
    expect(clustersOf(await world.start())).toEqual(['busy']);
  });

  it('waits for the call of whoever is in more of a hurry, and shares its verdict', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    const urgent = await world.aRequest({ clusterIds: ['busy'], caller: 'hurried', priority: 'urgent' });
    const call = await world.startAndSettle(answered.accepted);
    expect(clustersOf(call)).toEqual(['busy']);
    await atRest();
    await page([scan('busy', 'success', { endTime: new Date(call.at.getTime() + 5_000) })]);
    expect([await world.counts(request), await world.counts(urgent)]).toEqual([{ succeeded: 1 }, { succeeded: 1 }]);
    expect(await isWatched()).toBe(false);
  });

  it('is parked behind that call where it has no verdict yet, and due when it is over without one', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await world.aRequest({ clusterIds: ['busy'], caller: 'hurried', priority: 'urgent' });
    const call = await world.start();
    await atRest();
    await page([scan('busy', 'success')]);
    expect(await world.counts(request)).toEqual({ waiting: 1 });
    await world.settle(call, answered.gatewayDown);
    expect(clustersOf(await world.start())).toEqual(['busy']);
    expect(await world.counts(request)).toEqual({ sending: 1 });
  });

  it('is sent in the end, though nobody can read what became of it', async () => {
    const request = await world.aRequest({ clusterIds: ['busy'] });
    await listedAsScanning('busy');
    await world.database.advance(verdictTimeoutMs - MINUTE);
    await world.list({ outcome: answered.gatewayDown, ...about }, listTasks());
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(2 * MINUTE);
    await world.startAndSettle(answered.badTask);
    expect(await world.counts(request)).toEqual({ rejected: 1 });
    await atRest();
    await page([scan('busy', 'success')]);
    expect(await isWatched()).toBe(false);
  });

  it('is sent in time before its deadline, and does not wait where that is near', async () => {
    const inMs = (ms: number): Date => new Date(Date.now() + ms);
    await world.aRequest({ clusterIds: ['busy'], deadline: inMs(HOUR), caller: 'later' });
    const near = await world.aRequest({ clusterIds: ['near'], deadline: inMs(listing.keepMs / 2) });
    await world.aRequest({ caller: 'whole' });
    await world.prisma.transact((tx) => world.wantListing(tx, TASK));
    await world.list(tasks({ failed: 0, scanning: 2 }, 'running'), listTasks());
    await page([scan('busy', 'scanning'), scan('near', 'scanning')]);
    expect(clustersOf(await world.startAndSettle(answered.badTask))).toEqual(['near']);
    expect(await world.state(near)).toBe('finished');
    await world.database.advance(HOUR - 2 * listing.keepMs);
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(listing.keepMs + MINUTE);
    expect(clustersOf(await world.start())).toEqual(['busy']);
  });

  it('is watched no longer once nobody wants it any more', async () => {
    const request = await world.aRequest({ clusterIds: ['busy', 'slow'] });
    await listedAsScanning('busy', 'slow');
    await world.requests.markCancelled(request, { caller: 'tester', keyId: crypto.randomUUID() });
    await world.requests.endWaiting(request);
    await atRest();
    await page([]);
    expect(await isWatched()).toBe(false);
  });

  it('is one of many: failed ones are read first, and each ends by its own', async () => {
    const ids = clusterIds(60);
    const request = await world.aRequest({ clusterIds: ids });
    await listedAsScanning(...ids);
    await atRest();
    expect((await page(ids.slice(0, 10).map((id) => scan(id)))).job.filter).toMatchObject({ scanStatus: 'failed' });
    expect(clustersOf(await world.startAndSettle(answered.accepted))).toEqual(ids.slice(0, 10));
    const rows = ids.slice(10, 30).map((id) => scan(id, 'success'));
    expect((await page(rows)).job.filter).toMatchObject({ scanStatus: 'success' });
    expect((await page(ids.slice(30).map((id) => scan(id, 'scanning')))).job.filter).toMatchObject({
      scanStatus: 'scanning',
    });
    expect(await world.counts(request)).toEqual({ accepted: 10, notFailed: 20, waiting: 30 });
    // The next pass looks at the call as well.
    expect((await world.lookAtLists()).kind).toBe('nothing');
  });
});
