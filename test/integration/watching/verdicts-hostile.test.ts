import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ClusterScan } from '../../../src/upstream/scan-tasks.js';
import type { ListFilter } from '../../../src/watching/list-work.js';
import { aCredential, answered, CallingWorld, noLimits, TASK, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { about, clusters, runningTasks, scan } from '../../support/list-pages.js';

// What it warns of is what these tests bring about.
Logger.overrideLogger(false);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let world: CallingWorld;
let sentAt: Date;

const open = async (listTaskResources = unlimited): Promise<void> => {
  const limits = { ...noLimits, listTaskResources };
  world = await CallingWorld.open({ credentials: [aCredential({ limits })] });
};
beforeEach(() => open());
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const accepted = async (): Promise<string> => {
  const call = await world.startAndSettle(answered.accepted);
  sentAt = call.at;
  return call.id;
};
const at = (ms: number): Date => new Date(sentAt.getTime() + ms);
const old = (
  id: string,
  status: ClusterScan['scanStatus'] = 'failed',
  changed: Partial<ClusterScan> = {},
): ClusterScan => scan(id, status, { startTime: at(-2 * MINUTE), endTime: at(-MINUTE), ...changed });
const noneRuns = async (): Promise<void> => {
  await world.list(runningTasks([]), world.laneFor('listTasks'));
};

/** So many minutes in which each list that is due is answered from these rows, as an upstream does that knows its filters. */
async function listFor(minutes: number, rows: readonly ClusterScan[], isRunning: boolean): Promise<void> {
  const lane = world.laneFor('listTasks');
  for (let minute = 0; minute < minutes; minute += 1) {
    await world.database.advance(MINUTE);
    const view = await world.lookAtLists(lane);
    if (view.kind === 'started') await world.settleList(view.started, runningTasks(isRunning ? [TASK] : []), lane);
    for (let turn = await world.lookAtLists(); turn.kind === 'started'; turn = await world.lookAtLists()) {
      await world.settleList(turn.started, clusters(rows.filter(suits(turn.started.job.filter))));
    }
  }
}
const suits =
  ({ clusterId, scanStatus }: ListFilter) =>
  (row: ClusterScan): boolean =>
    clusterId === undefined ? row.scanStatus === scanStatus : row.clusterId === clusterId;

it('what waits in the queue of a task that runs does not fail by its old row', async () => {
  const request = await world.aRequest({ clusterIds: ['a', 'b'] });
  await accepted();
  await listFor(70, [old('a'), old('b')], true);
  expect(await world.counts(request)).toEqual({ accepted: 2 });
});

it('nor beside one that scans with its old times', async () => {
  const request = await world.aRequest({ clusterIds: ['queued', 'scans'] });
  await accepted();
  await listFor(20, [old('queued'), old('scans', 'scanning')], false);
  expect(await world.counts(request)).toEqual({ accepted: 2 });
});

it('an item that is not scanning yet does not end a cluster that is', async () => {
  const request = await world.aRequest({ clusterIds: ['a'], scanTypes: ['benchmark'] });
  await accepted();
  await world.database.advance(2 * MINUTE);
  await noneRuns();
  const items = [
    { scanType: 'cluster_vul', status: 'scanning', failedReason: null },
    { scanType: 'benchmark', status: 'failed', failedReason: 'old' },
  ] as const;
  await world.list(clusters([scan('a', 'scanning', { startTime: at(20_000), items })]));
  expect(await world.counts(request)).toEqual({ accepted: 1 });
});

it('a slow answer does not make an old failure new', async () => {
  const request = await world.aRequest({ clusterIds: ['a'] });
  await accepted();
  await world.database.advance(30_000);
  await noneRuns();
  const page = clusters([old('a', 'failed', { endTime: at(-10_000) })]);
  await world.list({ ...page, durationMs: 20_000, clockOffsetMs: -20_000 });
  expect(await world.counts(request)).toEqual({ accepted: 1 });
});

it.each([8 * HOUR, 30 * DAY])('an end that is %i ms ahead teaches nothing of how long scans take', async (ms) => {
  await world.aRequest({ clusterIds: ['a'] });
  await accepted();
  await world.database.advance(2 * MINUTE);
  await noneRuns();
  await world.list(clusters([old('a', 'success', { endTime: at(ms) })]));
  await world.aRequest({ clusterIds: ['b'] });
  await accepted();
  await world.database.advance(MINUTE);
  expect((await world.lookAtLists(world.laneFor('listTasks'))).kind).toBe('started');
});

it('a row among the running tasks that nobody can read keeps the others from nothing', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await accepted();
  await world.database.advance(MINUTE);
  await world.list(runningTasks(['foreign'], 1), world.laneFor('listTasks'));
  expect((await world.lookAtLists(world.laneFor('listTasks'))).kind).toBe('nothing');
  expect((await world.lookAtLists()).kind).toBe('started');
});

it('scan tasks that cannot be read leave the lane to others', async () => {
  await world.close();
  await open({ calls: 5, windowMs: MINUTE });
  for (const taskId of ['x1', 'x2', 'x3']) {
    await world.aRequest({ projectId: 'broken', taskId, clusterIds: ['a'] });
    await accepted();
  }
  await world.aRequest({ projectId: 'good', taskId: 'g', clusterIds: ['a'] });
  await accepted();
  await world.database.advance(MINUTE);
  const asked = { broken: 0, good: 0 };
  for (let turns = 0; turns < 60; turns += 1) {
    const view = await world.lookAtLists(world.laneFor('listTasks'));
    if (view.kind === 'started') await world.settleList(view.started, runningTasks([]), world.laneFor('listTasks'));
    const turn = await world.lookAtLists();
    if (turn.kind === 'started') {
      const isGood = turn.started.job.projectId === 'good';
      asked[isGood ? 'good' : 'broken'] += 1;
      const refused = { outcome: answered.badTask, ...about };
      const well = clusters([scan('a', 'success', { startTime: at(1_000), endTime: at(20_000) })]);
      await world.settleList(turn.started, isGood ? well : refused);
    }
    await world.database.advance(12_000);
  }
  expect(asked.good).toBeGreaterThan(0);
  // Longer and longer waits: at one try in a quarter of a minute for each it would be far more.
  expect(asked.broken).toBeLessThan(25);
});

it('a page of one view of a task says nothing of what another view waits for', async () => {
  await world.aRequest({ clusterIds: ['a'] });
  await accepted();
  await world.aRequest({ enterpriseProjectId: 'ep', clusterIds: ['b1', 'b2', 'b3'] });
  await accepted();
  await world.database.advance(2 * MINUTE);
  await noneRuns();
  await noneRuns();
  const [first, second] = [await world.lookAtLists(), await world.lookAtLists()];
  if (first.kind !== 'started' || second.kind !== 'started') throw new Error('no page is due');
  expect([first, second].map(({ started }) => started.job.enterpriseProjectId)).toEqual(['0', 'ep']);
  // An upstream that does not know the filter by cluster.
  await world.settleList(first.started, clusters(['a', 'b1', 'b2', 'b3'].map((id) => old(id, 'scanning'))));
  await world.settleList(second.started, clusters([]));
  const next = await world.lookAtLists();
  expect(next.kind === 'started' ? next.started.job.filter : null).toEqual({ taskId: TASK, scanStatus: 'success' });
});
