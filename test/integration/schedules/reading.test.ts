import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ScheduleBody } from '../../../src/schedules/to-order.js';
import { about, read, scan } from '../../support/list-pages.js';
import { aCredential, answered, CallingWorld, clusterIds, PROJECT, unlimited } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { aSchedule, failedClusters, firesOf, lastFire, taskList } from '../../support/schedules.js';

const HOUR = 3_600_000;

let world: CallingWorld;
beforeEach(async () => {
  const limits = { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited };
  world = await CallingWorld.open({ credentials: [aCredential({ limits })] });
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const listTasks = (): CallingWorld['lane'] => world.laneFor('listTasks');
/** A schedule whose first due time was just taken. */
const fired = async (changed: Partial<ScheduleBody> = {}): Promise<string> => {
  const schedule = await aSchedule(world, changed);
  await world.database.advance(HOUR);
  await world.dueSchedules.take();
  return schedule;
};
/** What was requested: of each scan task how many clusters. */
const requested = async (): Promise<Record<string, number>> => {
  const rows = await world.prisma.request.findMany({
    where: { projectId: PROJECT, source: 'schedule' },
    select: { id: true, scanTaskId: true, total: true },
  });
  const tasks = await world.prisma.scanTask.findMany({ where: { projectId: PROJECT } });
  const name = new Map(tasks.map(({ id, taskId }) => [id, taskId]));
  expect(new Set(rows.map(({ scanTaskId }) => scanTaskId)).size).toBe(rows.length);
  return Object.fromEntries(rows.map(({ scanTaskId, total }) => [name.get(scanTaskId) ?? '', total]));
};
const tasksOf = async (schedule: string): Promise<Record<string, string>> => {
  const { id: fireId } = await lastFire(world, schedule);
  const rows = await world.prisma.fireTask.findMany({ where: { fireId }, orderBy: { place: 'asc' } });
  return Object.fromEntries(rows.map(({ taskId, state, reason }) => [taskId, reason ?? state]));
};

describe('a fire', () => {
  it('requests what has failed of each scan task, in one request for each', async () => {
    const schedule = await fired({ name: 'nightly', priority: 'background', maxRounds: 3 });
    const list = await world.list(taskList({ t1: 2, t2: 0, t3: 1, t4: null }), listTasks());
    expect(list).toMatchObject({ purpose: 'schedule', job: { projectId: PROJECT, scanTaskId: null } });
    await world.list(failedClusters(['a', 'b']));
    await world.list(failedClusters(['c']));
    await world.list(failedClusters([]));
    expect(await firesOf(world, schedule)).toEqual(['done']);
    expect(await requested()).toEqual({ t1: 2, t3: 1 });
    expect(await tasksOf(schedule)).toEqual({ t1: 'submitted', t2: 'no_failures', t3: 'submitted', t4: 'no_failures' });
    const fire = await lastFire(world, schedule);
    expect(fire).toMatchObject({ tasksSeen: 4, tasksTaken: 2, clustersSeen: 3, clustersTaken: 3, leftOut: {} });
    const request = await world.prisma.request.findFirstOrThrow({ where: { total: 2 }, omit: { nextDueAt: true } });
    const labels = { schedule: 'nightly', fire: fire.id };
    expect(request).toMatchObject({ caller: 'tester', source: 'schedule', priority: 2, maxRounds: 3, labels });
    expect((await world.start()).range).toMatchObject({ rangeType: 'specific_cluster' });
  });

  it('asks for what its schedule selects', async () => {
    const scanTypes = ['benchmark' as const];
    await fired({ selection: { lookbackHours: 6, namePattern: 'prod', triggerType: 'manual', scanTypes } });
    const { job, startedAt } = await world.list(taskList({ t1: 1 }), listTasks());
    const { createdFrom, ...filter } = job.filter;
    expect(filter).toEqual({ taskName: 'prod', triggerType: 'manual', scanTypes });
    expect(Math.round((startedAt.getTime() - createdFrom!.getTime()) / HOUR)).toBe(6);
    const clusters = await world.list(failedClusters(['a']));
    expect(clusters.job.filter).toEqual({ taskId: 't1', scanStatus: 'failed' });
    expect((await world.start()).range).toMatchObject({ clusters: [{ clusterId: 'a', scanTypes: 4 }] });
  });

  it('needs no list of scan tasks that are named', async () => {
    const schedule = await fired({ selection: { taskIds: ['t2', 't1'] } });
    expect((await world.lookAtLists(listTasks())).kind).toBe('nothing');
    await world.list(failedClusters(['a']));
    await world.list(failedClusters([]));
    expect(await tasksOf(schedule)).toEqual({ t2: 'submitted', t1: 'no_failures' });
    expect(await requested()).toEqual({ t2: 1 });
  });

  it('reads lists of any length, page by page', async () => {
    const schedule = await fired();
    const tasks = Array.from({ length: 201 }, (_, n) => `t${n}`);
    const clean = (names: string[]) => Object.fromEntries(names.map((name) => [name, name === 't200' ? 450 : 0]));
    await world.list(taskList(clean(tasks.slice(0, 200)), { total: 201, nextOffset: 200 }), listTasks());
    expect((await world.list(taskList(clean(['t200']), { total: 201 }), listTasks())).job.offset).toBe(200);
    const ids = clusterIds(450);
    for (const offset of [0, 200, 400]) {
      const next = offset < 400 ? offset + 200 : null;
      expect((await world.list(failedClusters(ids.slice(offset, offset + 200), 450, next))).job.offset).toBe(offset);
    }
    expect(await requested()).toEqual({ t200: 450 });
    expect(await firesOf(world, schedule)).toEqual(['done']);
    // More than one call takes: it is listed like any large request.
    expect((await world.lookAtLists(listTasks())).kind).toBe('started');
  });

  it('takes a task once that two pages show', async () => {
    const schedule = await fired();
    await world.list(taskList({ t1: 1, t2: 1 }, { total: 3, nextOffset: 2 }), listTasks());
    await world.list(taskList({ t2: 1, t3: 1 }, { total: 4 }), listTasks());
    for (const id of ['a', 'b', 'c']) await world.list(failedClusters([id]));
    expect(await requested()).toEqual({ t1: 1, t2: 1, t3: 1 });
    expect((await lastFire(world, schedule)).tasksSeen).toBe(3);
  });

  it('finds what moved up when a task vanished between two pages', async () => {
    await fired();
    await world.list(taskList({ gone: 0, t1: 0 }, { total: 4, nextOffset: 2 }), listTasks());
    // By now t2 is the second one, and on no page that is still to come.
    await world.list(taskList({ t3: 0 }, { total: 3 }), listTasks());
    const again = await world.list(taskList({ t2: 1, t3: 0 }, { total: 3 }), listTasks());
    expect(again.job.offset).toBe(1);
    await world.list(failedClusters(['a']));
    expect(await requested()).toEqual({ t2: 1 });
  });

  it('finds what moved up when a cluster did not fail any more between two pages', async () => {
    await fired({ selection: { taskIds: ['t1'] } });
    await world.list(failedClusters(['gone', 'a'], 4, 2));
    await world.list(failedClusters(['c'], 3));
    expect((await world.list(failedClusters(['b', 'c'], 3))).job.offset).toBe(1);
    expect(await requested()).toEqual({ t1: 4 });
  });

  it('leaves a task out that vanished before its clusters were read', async () => {
    const schedule = await fired();
    await world.list(taskList({ gone: 1, t1: 1 }), listTasks());
    await world.list({ outcome: answered.badTask, ...about });
    await world.list(failedClusters(['a']));
    expect(await tasksOf(schedule)).toEqual({ gone: 'refused', t1: 'submitted' });
  });

  it('takes no cluster that has not failed, whatever the filter said', async () => {
    await fired({ selection: { taskIds: ['t1'] } });
    const rows = [scan('a'), scan('b', 'success'), scan('c', 'scanning')];
    await world.list(read({ rows, rowsSeen: 3, total: 3, nextOffset: null }));
    expect(await requested()).toEqual({ t1: 1 });
  });

  it('comes to an end where every page shows the same, of more than there can be', async () => {
    const schedule = await fired();
    const endless = taskList({ t1: Number.MAX_SAFE_INTEGER }, { total: Number.MAX_SAFE_INTEGER, nextOffset: 5_000 });
    await world.list(endless, listTasks());
    await world.list(taskList({ t1: 1 }, { total: Number.MAX_SAFE_INTEGER, nextOffset: 10_000 }), listTasks());
    await world.list(failedClusters(['a'], Number.MAX_SAFE_INTEGER, 5_000));
    await world.list(failedClusters(['a'], Number.MAX_SAFE_INTEGER, 10_000));
    expect(await firesOf(world, schedule)).toEqual(['done']);
    expect(await requested()).toEqual({ t1: 1 });
  });

  it('goes on as it began when its schedule is changed', async () => {
    const schedule = await fired();
    await world.prisma
      .$executeRaw`UPDATE schedule SET terms = terms || '{"minFailed": 9}' WHERE id = ${schedule}::uuid`;
    await world.list(taskList({ t1: 1 }), listTasks());
    await world.list(failedClusters(['a']));
    expect(await requested()).toEqual({ t1: 1 });
  });

  it('ends where its schedule is deleted, and requests nothing more', async () => {
    const schedule = await fired();
    const started = await world.lookAtLists(listTasks());
    if (started.kind !== 'started') throw new Error('no page is due');
    await world.prisma.transact((tx) => world.fires.failOfSchedule(tx, schedule, 'deleted'));
    await world.settleList(started.started, taskList({ t1: 1 }), listTasks());
    expect(await firesOf(world, schedule)).toEqual(['failed deleted']);
    expect((await world.lookAtLists()).kind).toBe('nothing');
  });

  it('is read with one credential from its first page to its last', async () => {
    const other = await CallingWorld.open({ credentials: [aCredential(), aCredential({ name: 'other' })] });
    try {
      await aSchedule(other);
      await other.database.advance(HOUR);
      await other.dueSchedules.take();
      const laneOf = (name: string, operation: string) =>
        other.allLanes.find(({ id }) => id === `${name}.${operation}`)!;
      await other.list(taskList({ t1: 1 }), laneOf('other', 'listTasks'));
      expect((await other.lookAtLists(laneOf('main', 'listTaskResources'))).kind).toBe('nothing');
      expect((await other.list(failedClusters(['a']), laneOf('other', 'listTaskResources'))).purpose).toBe('schedule');
    } finally {
      await other.close();
    }
  });
});

describe('an answer', () => {
  it('that never comes is asked for again, and forgotten where it comes late', async () => {
    await fired();
    const lost = await world.lookAtLists(listTasks());
    if (lost.kind !== 'started') throw new Error('no page is due');
    expect((await world.lookAtLists(listTasks())).kind).toBe('nothing');
    await world.database.advance(46_000);
    await world.list(taskList({ t1: 1 }), listTasks());
    await world.settleList(lost.started, taskList({ t9: 1 }), listTasks());
    await world.list(failedClusters(['a']));
    expect(await requested()).toEqual({ t1: 1 });
  });

  it('to the last page of a task, twice, makes one request', async () => {
    await fired({ selection: { taskIds: ['t1', 't2'] } });
    const first = await world.lookAtLists();
    await world.database.advance(46_000);
    const second = await world.lookAtLists();
    if (first.kind !== 'started' || second.kind !== 'started') throw new Error('no page is due');
    await Promise.all([first, second].map(({ started }) => world.settleList(started, failedClusters(['a', 'b']))));
    expect(await requested()).toEqual({ t1: 2 });
  });

  it.each([
    ['was lost', answered.lost],
    ['says that the gateway is down', answered.gatewayDown],
    ['was refused for the credential', answered.refused],
    ['was throttled', answered.throttled],
    ['was never asked for', answered.noConnection],
  ])('that %s is asked for again later', async (_title, outcome) => {
    const schedule = await fired();
    await world.list({ outcome, ...about }, listTasks());
    expect(await firesOf(world, schedule)).toEqual(['open']);
    await world.database.advance(5 * 60_000);
    await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = true, open_until = NULL`;
    await world.list(taskList({ t1: 1 }), listTasks());
    await world.list(failedClusters(['a']));
    expect(await requested()).toEqual({ t1: 1 });
  });

  it('that is lost again and again leaves the scan task out, and not the others', async () => {
    const schedule = await fired();
    await world.list(taskList({ t1: 1, t2: 1 }), listTasks());
    for (let tries = 0; tries < 5; tries += 1) {
      await world.list({ outcome: answered.lost, ...about });
      await world.prisma.$executeRaw`UPDATE lane SET breaker_open_until = NULL, failure_streak = 0`;
      await world.database.advance(5 * 60_000);
    }
    await world.list(failedClusters(['a']));
    expect(await tasksOf(schedule)).toEqual({ t1: 'not_readable', t2: 'submitted' });
  });

  it.each([
    ['refused', answered.badTask, 1],
    ['not_readable', answered.lost, 5],
  ])('to the list of scan tasks that comes to nothing ends the fire as %s', async (reason, outcome, times) => {
    const schedule = await fired();
    for (let tries = 0; tries < times; tries += 1) {
      await world.list({ outcome, ...about }, listTasks());
      await world.prisma.$executeRaw`UPDATE lane SET breaker_open_until = NULL, failure_streak = 0`;
      await world.database.advance(5 * 60_000);
    }
    expect(await firesOf(world, schedule)).toEqual([`failed ${reason}`]);
  });
});
