import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ScheduleBody } from '../../../src/schedules/to-order.js';
import { aCredential, answered, CallingWorld, PROJECT, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { clusters, scan } from '../../support/list-pages.js';
import { aSchedule, failedClusters, lastFire, taskList } from '../../support/schedules.js';

const HOUR = 3_600_000;
const MOST_OPEN = 20;

let world: CallingWorld;
beforeEach(async () => {
  const limits = { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited };
  world = await CallingWorld.open({
    credentials: [aCredential({ limits })],
    maxOpenTargets: MOST_OPEN,
    policy: { verdictTimeoutMs: 60_000 },
  });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const listTasks = (): CallingWorld['lane'] => world.laneFor('listTasks');
const fired = async (changed: Partial<ScheduleBody> = {}): Promise<string> => {
  const schedule = await aSchedule(world, { selection: { taskIds: ['t1'] }, ...changed });
  await world.database.advance(HOUR);
  await world.dueSchedules.take();
  return schedule;
};
/** What the last fire took and left out of these clusters of t1. */
const chosen = async (schedule: string, ids: string[]): Promise<Record<string, string>> => {
  const { job } = await world.list(failedClusters(ids));
  expect(job.filter.taskId).toBe('t1');
  return decisions(schedule);
};
const decisions = async (schedule: string): Promise<Record<string, string>> => {
  const fire = await lastFire(world, schedule);
  const rows = await world.prisma.fireCluster.findMany({ where: { fireId: fire.id }, orderBy: { clusterId: 'asc' } });
  const left = rows.flatMap(({ reason }) => reason ?? []);
  const counts = Object.fromEntries(
    [...new Set(left)].map((one) => [one, left.filter((other) => other === one).length]),
  );
  expect(fire).toMatchObject({ clustersSeen: rows.length, clustersTaken: rows.length - left.length, leftOut: counts });
  return Object.fromEntries(rows.map(({ clusterId, reason }) => [clusterId, reason ?? 'taken']));
};
const wanted = (ids: string[], taskId = 't1', more: object = {}) =>
  world.aRequest({ clusterIds: ids, taskId, caller: 'other', ...more });
/** A call with it was accepted, and its scan is over. */
const tried = async (id: string, taskId = 't1'): Promise<void> => {
  await wanted([id], taskId);
  await world.startAndSettle(answered.accepted);
  await world.database.advance(61_000);
  await world.verdicts.end();
};

describe('what is live already', () => {
  it('is left out: in a call, waiting for one, under whatever enterprise project', async () => {
    const schedule = await fired();
    await wanted(['called']);
    await world.start();
    await wanted(['waiting']);
    await wanted(['elsewhere'], 't1', { enterpriseProjectId: 'e2' });
    await wanted(['other'], 't2');
    expect(await chosen(schedule, ['called', 'waiting', 'elsewhere', 'other', 'free'])).toEqual({
      called: 'live',
      elsewhere: 'live',
      free: 'taken',
      other: 'taken',
      waiting: 'live',
    });
  });

  it('is all of a task that is wanted as a whole', async () => {
    const schedule = await fired();
    await world.aRequest({ taskId: 't1', caller: 'other' });
    expect(await chosen(schedule, ['a', 'b'])).toEqual({ a: 'live', b: 'live' });
    const [task] = await world.prisma.fireTask.findMany();
    expect(task).toMatchObject({ state: 'left_out', reason: 'nothing_left', requestId: null });
  });

  it('is free again once it is over', async () => {
    const schedule = await fired();
    await tried('a');
    expect(await chosen(schedule, ['a'])).toEqual({ a: 'taken' });
  });
});

describe('what was tried', () => {
  it('too often within a day is left out', async () => {
    for (const id of ['twice', 'twice', 'once']) await tried(id);
    const schedule = await fired({ perCluster: { triesPerDay: 2 } });
    expect(await chosen(schedule, ['never', 'once', 'twice'])).toEqual({
      never: 'taken',
      once: 'taken',
      twice: 'tried_too_often',
    });
  });

  it('too recently is left out', async () => {
    await tried('early');
    await world.database.advance(2 * HOUR);
    await tried('late');
    const schedule = await fired({ perCluster: { minPause: '2h' } });
    expect(await chosen(schedule, ['early', 'late'])).toEqual({ early: 'taken', late: 'tried_too_recently' });
  });

  it('counts in all scan tasks of the project, and for a day', async () => {
    await tried('old', 't2');
    await world.database.advance(24 * HOUR);
    await tried('new', 't2');
    await wanted(['soon'], 't3');
    const schedule = await fired({ perCluster: { triesPerDay: 1 } });
    expect(await chosen(schedule, ['new', 'old', 'soon'])).toEqual({
      new: 'tried_too_often',
      old: 'taken',
      soon: 'tried_too_often',
    });
  });

  it.each([
    ['was throttled', answered.throttled],
    ['was blocked', answered.refused],
    ['never left', answered.noConnection],
  ])('with a call that %s was not tried', async (_title, outcome) => {
    const request = await wanted(['a']);
    await world.startAndSettle(outcome);
    await world.requests.markCancelled(request, { caller: 'other', keyId: crypto.randomUUID() });
    await world.requests.endWaiting(request);
    const schedule = await fired({ perCluster: { triesPerDay: 1, minPause: '7d' } });
    await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = true, open_until = NULL`;
    expect(await chosen(schedule, ['a'])).toEqual({ a: 'taken' });
  });

  it('in another scan task of the same fire is about to be', async () => {
    const schedule = await fired({ selection: { taskIds: ['t1', 't2'] }, perCluster: { triesPerDay: 1 } });
    await world.list(failedClusters(['a']));
    await world.list(failedClusters(['a', 'b']));
    const fire = await lastFire(world, schedule);
    expect(fire).toMatchObject({ clustersTaken: 2, leftOut: { tried_too_often: 1 } });
  });
});

describe('what is too much or too little', () => {
  it('of a fire is left out, and what it would not take is not read', async () => {
    const schedule = await fired({ selection: { lookbackHours: 1 }, maxClusters: 3 });
    await world.list(taskList({ t1: 2, t2: 2, t3: 1 }), listTasks());
    await world.list(failedClusters(['a', 'b']));
    await world.list(failedClusters(['c', 'd']));
    expect((await world.lookAtLists()).kind).toBe('nothing');
    expect(await decisions(schedule)).toEqual({ a: 'taken', b: 'taken', c: 'taken', d: 'max_clusters' });
    const tasks = await world.prisma.fireTask.findMany({ orderBy: { place: 'asc' } });
    expect(tasks.map(({ reason }) => reason)).toEqual([null, null, 'max_clusters']);
  });

  it('for its caller to have open is left out', async () => {
    await world.aRequest({ clusterIds: Array.from({ length: MOST_OPEN - 1 }, (_, n) => `c${n}`), taskId: 't9' });
    const schedule = await fired();
    expect(await chosen(schedule, ['a', 'b'])).toEqual({ a: 'taken', b: 'open_targets_limit' });
  });

  it('of a task is left out, and not read where the list of tasks tells', async () => {
    const schedule = await fired({ selection: { lookbackHours: 1 }, minFailed: 2 });
    await world.list(taskList({ few: 1, t1: 2 }), listTasks());
    expect(await chosen(schedule, ['a', 'b'])).toEqual({ a: 'taken', b: 'taken' });
    const [few] = await world.prisma.fireTask.findMany({ orderBy: { place: 'asc' } });
    expect(few).toMatchObject({ taskId: 'few', failed: 1, state: 'left_out', reason: 'below_min_failed' });
  });

  it('of a named task is found out by its clusters', async () => {
    const schedule = await fired({ minFailed: 2 });
    expect(await chosen(schedule, ['a'])).toEqual({ a: 'below_min_failed' });
    expect(await world.prisma.request.count({ where: { projectId: PROJECT } })).toBe(0);
  });

  it('in clusters of one task is counted, and not read', async () => {
    const schedule = await fired({ maxClusters: 100 });
    await world.prisma.$executeRaw`UPDATE schedule_fire SET "offset" = 9800, pages = 49, expected = 12000`;
    await world.list(failedClusters(['a'], 12_000, 10_000));
    expect(await lastFire(world, schedule)).toMatchObject({
      state: 'done',
      clustersTaken: 1,
      leftOut: { too_many: 11_999 },
    });
  });
});

it('leaves out what has failed of other scan types, and requests only those that are meant', async () => {
  const schedule = await fired({ selection: { lookbackHours: 1, scanTypes: ['cluster_vul'] } });
  await world.list(taskList({ t1: 3 }), listTasks());
  const failedIn = (id: string, scanType: 'cluster_vul' | 'benchmark' | null) =>
    scan(id, 'failed', { items: [{ scanType, status: 'failed', failedReason: null }] });
  await world.list(clusters([failedIn('a', 'cluster_vul'), failedIn('b', 'benchmark'), failedIn('c', null)]));
  expect(await decisions(schedule)).toEqual({ a: 'taken', b: 'other_scan_types', c: 'taken' });
  expect((await world.start()).range).toMatchObject({ clusters: [{ scanTypes: 1 }, { scanTypes: 1 }] });
});
