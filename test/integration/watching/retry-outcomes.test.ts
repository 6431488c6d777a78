import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';
import type { ScanItem } from '../../../src/upstream/scan-tasks.js';
import { aCredential, answered, CallingWorld, clusterIds, noLimits, TASK } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { clusters, runningTasks, scan, tasks } from '../../support/list-pages.js';
import { aSchedule } from '../../support/schedules.js';

const POLL_MS = 30_000;
const HOUR_MS = 3_600_000;

let world: CallingWorld;
beforeEach(async () => {
  world = await CallingWorld.open({
    credentials: [aCredential({ limits: noLimits })],
    policy: { listing: defaultRetryPolicy.listing },
  });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const item = (scanType: ScanItem['scanType'], failedReason: string | null = null): ScanItem => ({
  scanType,
  status: failedReason === null ? 'success' : 'failed',
  failedReason,
});
const failed = (id: string, ...items: ScanItem[]) => scan(id, 'failed', { items });
/** A call is accepted, and its verdicts are read half a minute later: what the clusters' items say then. */
async function retried(items: Readonly<Record<string, readonly ScanItem[]>>): Promise<void> {
  const { at } = await world.startAndSettle(answered.accepted);
  await told(at, items);
}
async function told(sentAt: Date, items: Readonly<Record<string, readonly ScanItem[]>>): Promise<void> {
  await world.database.advance(POLL_MS);
  await world.list(runningTasks([]), world.laneFor('listTasks'));
  const times = { startTime: new Date(sentAt.getTime() + 5_000), endTime: new Date(sentAt.getTime() + 20_000) };
  const rows = Object.entries(items).map(([id, all]) =>
    scan(id, all.some(({ status }) => status === 'failed') ? 'failed' : 'success', { ...times, items: all }),
  );
  await world.list(clusters(rows));
}
/** `<scan type> <reason> <round>`: how many of how many succeeded. */
async function outcomes(): Promise<Record<string, string>> {
  const rows = await world.prisma.retryOutcome.findMany();
  return Object.fromEntries(
    rows.map((row) => [`${row.scanType} ${row.reason} ${row.round}`, `${row.succeeded} of ${row.tried}`]),
  );
}
/** A request that is large enough for a listing, which shows the same of each cluster. @returns its clusters */
async function listed(...items: ScanItem[]): Promise<string[]> {
  const ids = clusterIds(201);
  await world.aRequest({ clusterIds: ids, caller: 'large' });
  await world.look();
  await world.list(tasks({ failed: 201, success: 9_000 }), world.laneFor('listTasks'));
  const rows = ids.map((id) => failed(id, ...items));
  await world.list(clusters(rows.slice(0, 200), 201, 200));
  await world.list(clusters(rows.slice(200), 201));
  return ids;
}

it('what a fire read has failed before the calls for what it requested', async () => {
  await aSchedule(world, { selection: { taskIds: [TASK] } });
  await world.database.advance(HOUR_MS);
  await world.dueSchedules.take();
  const both = [item('benchmark', 'Agent 7 offline'), item('cluster_vul', 'timeout')];
  await world.list(clusters([failed('a', ...both), failed('b', item('benchmark', 'timeout'), item('cluster_vul'))]));
  await retried({
    a: [item('benchmark'), item('cluster_vul', 'timeout')],
    b: [item('benchmark'), item('cluster_vul')],
  });
  expect(await outcomes()).toEqual({
    'benchmark agent # offline 1': '1 of 1',
    'benchmark timeout 1': '1 of 1',
    'cluster_vul timeout 1': '0 of 1',
  });
});

it('what was listed has failed before the call, until the verdict on it', async () => {
  const ids = await listed(item('benchmark', 'timeout'), item('cluster_vul'));
  await retried(Object.fromEntries(ids.map((id) => [id, [item('benchmark'), item('cluster_vul', 'no agent')]])));
  await world.aRequest({ clusterIds: ids.slice(0, 1) });
  await retried({ [ids[0] ?? '']: [item('benchmark'), item('cluster_vul')] });
  expect(await outcomes()).toEqual({ 'benchmark timeout 1': '201 of 201', 'cluster_vul no agent 1': '1 of 1' });
});

it('what is listed after the call has not failed before it', async () => {
  const [id = ''] = clusterIds(1);
  await world.aRequest({ clusterIds: [id] });
  const { at } = await world.startAndSettle(answered.accepted);
  await world.database.advance(1_000);
  await listed(item('benchmark', 'timeout'), item('cluster_vul'));
  await told(at, { [id]: [item('benchmark'), item('cluster_vul')] });
  expect(await outcomes()).toEqual({});
});

it('where nobody read what had failed, an item counts that its cluster has alone', async () => {
  await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
  await retried({
    a: [item('benchmark')],
    b: [item('benchmark', 'timeout')],
    c: [item('benchmark', 'timeout'), item('cluster_vul')],
  });
  expect(await outcomes()).toEqual({ 'benchmark unknown 1': '1 of 2' });
});

it('of a cluster that had succeeded at last, nobody knows what has failed since', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await retried({ a: [item('benchmark'), item('cluster_vul')] });
  await world.aRequest({ clusterIds: ['a'] });
  await retried({ a: [item('benchmark', 'timeout'), item('cluster_vul')] });
  expect(await outcomes()).toEqual({});
});
