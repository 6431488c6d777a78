import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
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
  type WorldOptions,
} from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { about, clusters, read, runningTasks, scan } from '../../support/list-pages.js';

const POLL_MS = 30_000;
const GRACE_MS = 90_000;
const MINUTE = 60_000;
const VERDICT_TIMEOUT_MS = 6 * 60 * MINUTE;

// A phantom is warned of.
Logger.overrideLogger(false);

let world: CallingWorld;
let sentAt: Date;

const open = async (options: WorldOptions = {}): Promise<void> => {
  world = await CallingWorld.open({
    credentials: [aCredential({ limits: noLimits })],
    ...options,
  });
};
beforeEach(() => open());
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

/** A call that HSS has accepted. @returns its id */
const accepted = async (): Promise<string> => {
  const call = await world.startAndSettle(answered.accepted);
  sentAt = call.at;
  return call.id;
};
const after = (ms: number): Date => new Date(sentAt.getTime() + ms);
const anew = (id: string, status: ClusterScan['scanStatus'], changed: Partial<ClusterScan> = {}): ClusterScan =>
  scan(id, status, { startTime: after(5_000), endTime: status === 'scanning' ? null : after(40_000), ...changed });
const old = (id: string, status: ClusterScan['scanStatus'] = 'failed'): ClusterScan =>
  scan(id, status, { startTime: after(-2 * MINUTE), endTime: after(-MINUTE) });

const noneRuns = (): Promise<StartedList> => world.list(runningTasks([]), world.laneFor('listTasks'));
const page = (rows: ClusterScan[], total = rows.length, next: number | null = null): Promise<StartedList> =>
  world.list(clusters(rows, total, next));
const effectOf = async (callId: string): Promise<string> =>
  (await world.prisma.call.findUniqueOrThrow({ where: { id: callId } })).effect;

describe('the scans of an accepted call', () => {
  it('are not looked at sooner than the poll, nor before their task has come to rest', async () => {
    await world.aRequest({ clusterIds: ['a', 'b'] });
    await accepted();
    await world.database.advance(POLL_MS - 1_000);
    expect((await world.lookAtLists(world.laneFor('listTasks'))).kind).toBe('nothing');
    await world.database.advance(1_000);
    const { purpose, job } = await world.list(runningTasks([TASK]), world.laneFor('listTasks'));
    expect({ purpose, filter: job.filter }).toEqual({
      purpose: 'verdict',
      filter: { taskStatus: 'running', taskId: TASK },
    });
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(POLL_MS);
    await noneRuns();
    expect((await world.lookAtLists()).kind).toBe('started');
  });

  it('end as what the upstream says of each of them, failed ones first', async () => {
    const request = await world.aRequest({ clusterIds: ['bad', 'good', 'gone'] });
    const callId = await accepted();
    await world.database.advance(GRACE_MS);
    await noneRuns();
    const failed = await page([anew('bad', 'failed'), anew('other', 'failed')]);
    expect(failed.job.filter).toEqual({ taskId: TASK, scanStatus: 'failed' });
    expect(await world.counts(request)).toEqual({ accepted: 2, scanFailed: 1 });
    const items = [{ scanType: 'benchmark', status: 'success', failedReason: null }] as const;
    expect((await page([anew('good', 'success', { items })])).job.filter.scanStatus).toBe('success');
    expect((await page([])).job.filter).toEqual({ taskId: TASK, clusterId: 'gone' });
    expect(await world.counts(request)).toEqual({ succeeded: 1, scanFailed: 1, notFound: 1 });
    expect(await world.state(request)).toBe('finished');
    expect(await effectOf(callId)).toBe('renewed');
    expect(await world.prisma.scanItem.findMany({ orderBy: { targetId: 'asc' }, omit: { targetId: true } })).toEqual([
      { callId, round: 1, scanType: 'benchmark', status: 'failed', reason: 'timeout' },
      { callId, round: 1, scanType: 'benchmark', status: 'success', reason: null },
    ]);
    const { reasonText } = await world.prisma.target.findFirstOrThrow({ where: { clusterId: 'bad' } });
    expect(reasonText).toBe('benchmark: timeout');
    expect(await world.prisma.watch.count()).toBe(0);
    expect(await world.prisma.liveCluster.count()).toBe(0);
  });

  it('of one cluster cost one call besides that for its task', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    expect((await page([anew('a', 'success')])).job.filter).toEqual({ taskId: TASK, clusterId: 'a' });
    expect(await world.state(request)).toBe('finished');
  });

  it('do not end by a row from before them', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([old('a')]);
    expect(await world.counts(request)).toEqual({ accepted: 1 });
    await world.database.advance(POLL_MS * 4);
    await noneRuns();
    await page([old('a')]);
    expect(await world.counts(request)).toEqual({ accepted: 1 });
    await world.database.advance(10 * MINUTE);
    await noneRuns();
    await page([anew('a', 'failed')]);
    expect(await world.counts(request)).toEqual({ scanFailed: 1 });
  });

  it('that show no effect until the end are those of a phantom', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    const callId = await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([old('a')]);
    await world.database.advance(VERDICT_TIMEOUT_MS);
    await world.verdicts.end();
    expect(await world.counts(request)).toEqual({ unverified: 1 });
    expect(await effectOf(callId)).toBe('phantom');
    expect(await world.prisma.watch.count()).toBe(0);
  });

  it('that are stuck end as unverified, and not as a phantom', async () => {
    const request = await world.aRequest({ clusterIds: ['a'] });
    const callId = await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([anew('a', 'scanning')]);
    await world.database.advance(VERDICT_TIMEOUT_MS);
    await world.verdicts.end();
    expect(await world.counts(request)).toEqual({ unverified: 1 });
    expect(await effectOf(callId)).toBe('renewed');
  });

  it('count although their times are old where the upstream leaves those of all as they were', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    const callId = await accepted();
    await world.database.advance(GRACE_MS);
    await noneRuns();
    await page([old('b')]);
    await page([old('a', 'success')]);
    expect(await world.counts(request)).toEqual({ accepted: 1, succeeded: 1 });
    expect(await effectOf(callId)).toBe('kept');
    await world.database.advance(10 * MINUTE);
    await noneRuns();
    await page([old('b')]);
    expect(await world.counts(request)).toEqual({ succeeded: 1, scanFailed: 1 });
  });

  it('are read although their task never comes to rest', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    await accepted();
    await world.database.advance(31 * MINUTE);
    await world.list(runningTasks([TASK]), world.laneFor('listTasks'));
    await page([anew('a', 'failed')]);
    expect(await world.counts(request)).toEqual({ accepted: 1, scanFailed: 1 });
  });

  it('of scan types that were wanted end by these, whatever has failed besides', async () => {
    const request = await world.aRequest({ clusterIds: ['a'], scanTypes: ['benchmark'] });
    await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    const items = [
      { scanType: 'benchmark', status: 'success', failedReason: null },
      { scanType: 'cluster_vul', status: 'failed', failedReason: 'no agent' },
    ] as const;
    await page([anew('a', 'failed', { items })]);
    expect(await world.counts(request)).toEqual({ succeeded: 1 });
    expect((await world.targets(request))['a']).toMatchObject({ result: 'succeeded', reasonCode: 'scanned' });
  });
});

describe('targets that wait for the same cluster', () => {
  it('share its verdict, where what they want was sent', async () => {
    await world.aRequest({ clusterIds: ['a', 'b'], scanTypes: ['benchmark'] });
    await accepted();
    const same = await world.aRequest({ clusterIds: ['a'], scanTypes: ['benchmark'], caller: 'other' });
    const more = await world.aRequest({ clusterIds: ['a'], caller: 'third' });
    await world.look();
    await world.database.advance(POLL_MS);
    await noneRuns();
    const items = [{ scanType: 'benchmark', status: 'failed', failedReason: 'no agent' }] as const;
    await page([anew('a', 'failed', { items })]);
    expect(await world.counts(same)).toEqual({ scanFailed: 1 });
    expect(await world.counts(more)).toEqual({ waiting: 1 });
    expect(clustersOf(await world.start())).toEqual(['a']);
  });
});

describe('a request for the whole task', () => {
  it('that waits for its clusters goes on with the verdict of the last one', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    await accepted();
    const whole = await world.aRequest({ caller: 'other', priority: 'urgent' });
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([anew('a', 'success')]);
    expect(clustersOf(await world.start())).toEqual(['*']);
    expect(await world.counts(whole)).toEqual({ sending: 1 });
  });
});

describe('a round', () => {
  it('follows a failed scan after a pause, as long as the request allows it', async () => {
    const request = await world.aRequest({ clusterIds: ['a'], maxRounds: 2 });
    await accepted();
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([anew('a', 'failed')]);
    expect(await world.counts(request)).toEqual({ waiting: 1 });
    expect((await world.look()).kind).toBe('nothing');
    await world.database.advance(5 * MINUTE);
    await accepted();
    // As long as the scan of the first round took.
    await world.database.advance(40_000);
    await noneRuns();
    const items = [{ scanType: 'benchmark', status: 'success', failedReason: null }] as const;
    await page([anew('a', 'success', { items })]);
    expect(await world.counts(request)).toEqual({ succeeded: 1 });
    expect(await world.prisma.retryOutcome.findMany({ orderBy: { round: 'asc' }, omit: { projectId: true } })).toEqual([
      { scanType: 'benchmark', reason: 'unknown', round: 1, tried: 1, succeeded: 0 },
      { scanType: 'benchmark', reason: 'timeout', round: 2, tried: 1, succeeded: 1 },
    ]);
  });

  it('is not taken back by a late answer to the call that its verdict is of', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'], maxRounds: 2 });
    const call = await world.startAndSettle(answered.lost);
    sentAt = call.at;
    await world.database.advance(45_000 + GRACE_MS);
    await world.lookUp(clusters([anew('a', 'scanning'), old('b')]));
    expect(await world.counts(request)).toEqual({ accepted: 1, waiting: 1 });
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([anew('a', 'failed')]);
    expect(await world.counts(request)).toEqual({ waiting: 2 });
    await world.settle(call, answered.accepted);
    expect(await world.counts(request)).toEqual({ accepted: 1, waiting: 1 });
    const [taken] = await world.prisma.target.findMany({ where: { state: 'in_call' }, select: { clusterId: true } });
    expect(taken).toEqual({ clusterId: 'b' });
  });

  it('does not follow once the request is cancelled', async () => {
    const request = await world.aRequest({ clusterIds: ['a'], maxRounds: 2 });
    await accepted();
    await world.requests.markCancelled(request, { caller: 'tester', keyId: crypto.randomUUID() });
    await world.database.advance(POLL_MS);
    await noneRuns();
    await page([anew('a', 'failed')]);
    expect(await world.counts(request)).toEqual({ scanFailed: 1 });
    expect(await world.state(request)).toBe('cancelled');
  });
});

describe('the list of running tasks', () => {
  const taskIds = ['t-1', 't-2', 't-3'];
  const threeTasks = async (): Promise<void> => {
    for (const taskId of taskIds) {
      await world.aRequest({ taskId, clusterIds: ['a', 'b'] });
      await accepted();
    }
    await world.database.advance(POLL_MS);
  };

  it('tells of all tasks that are due by one page', async () => {
    await threeTasks();
    const { job } = await world.list(runningTasks(['t-2', 'foreign']), world.laneFor('listTasks'));
    expect(job.filter).toEqual({ taskStatus: 'running' });
    const read = [await page([]), await page([]), await page([]), await page([]), await page([]), await page([])];
    expect(new Set(read.map((started) => started.job.filter.taskId))).toEqual(new Set(['t-1', 't-3']));
  });

  it('ends nothing before its last page', async () => {
    await threeTasks();
    const lane = world.laneFor('listTasks');
    await world.list(runningTasks(['t-2'], 0, 200), lane);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    expect((await world.list(runningTasks(['t-3']), lane)).job.offset).toBe(200);
    expect((await page([])).job.filter.taskId).toBe('t-1');
  });

  it('that another credential reads is nothing to come back for at once', async () => {
    await world.close();
    await open({ credentials: ['main', 'second'].map((name) => aCredential({ name, limits: noLimits })) });
    await threeTasks();
    const lanes = world.allLanes.filter(({ operation }) => operation === 'listTasks');
    const [mine, theirs] = lanes;
    await world.list(runningTasks(['t-2'], 0, 200), mine);
    const turn = await world.lookAtLists(theirs);
    if (turn.kind !== 'nothing') throw new Error('two credentials read one list');
    expect((turn.nextLookAt?.getTime() ?? 0) - turn.now.getTime()).toBeGreaterThan(4 * MINUTE);
    expect((await world.lookAtLists(mine)).kind).toBe('started');
  });

  it('that could not be read is read again', async () => {
    await threeTasks();
    const lane = world.laneFor('listTasks');
    await world.list({ outcome: answered.gatewayDown, ...about }, lane);
    expect((await world.lookAtLists()).kind).toBe('nothing');
    await world.database.advance(20_000);
    expect((await world.list(runningTasks([]), lane)).job.offset).toBe(0);
  });
});

it('a pass reads no page for a call that was accepted after it began', async () => {
  const request = await world.aRequest({ clusterIds: ['a', 'b'] });
  await accepted();
  await world.database.advance(POLL_MS);
  await noneRuns();
  const first = await world.lookAtLists();
  if (first.kind !== 'started') throw new Error('no page is due');
  await world.database.advance(1_000);
  const rows = [anew('a', 'failed'), anew('b', 'failed')];
  await world.aRequest({ clusterIds: clusterIds(30) });
  await world.startAndSettle(answered.accepted);
  await world.settleList(first.started, clusters(rows));
  expect(await world.counts(request)).toEqual({ scanFailed: 2 });
  expect((await world.lookAtLists()).kind).toBe('nothing');
  expect(await world.prisma.watch.count()).toBe(1);
});

it('one by one only those are asked for that no page has shown', async () => {
  const ids = clusterIds(30);
  const request = await world.aRequest({ clusterIds: ids });
  await accepted();
  await world.database.advance(GRACE_MS);
  await noneRuns();
  await page(ids.slice(0, 10).map((id) => anew(id, 'failed')));
  await page(ids.slice(10, 29).map((id) => anew(id, 'success')));
  expect((await page([anew('c-000029', 'success')])).job.filter.clusterId).toBe('c-000029');
  expect(await world.counts(request)).toEqual({ scanFailed: 10, succeeded: 20 });
});

it('a page that comes late, after another one has told the same, changes nothing', async () => {
  const request = await world.aRequest({ clusterIds: ['a', 'b'] });
  await accepted();
  await world.database.advance(POLL_MS);
  await noneRuns();
  const first = await world.lookAtLists();
  if (first.kind !== 'started') throw new Error('no page is due');
  await world.database.advance(46_000);
  await page([anew('a', 'failed'), anew('b', 'failed')]);
  expect(await world.settleList(first.started, clusters([anew('a', 'success')]))).toEqual([]);
  expect(await world.counts(request)).toEqual({ scanFailed: 2 });
});

it('a scan that a verdict was read of is not one of the next call, though it ended just before', async () => {
  const request = await world.aRequest({ clusterIds: ['a', 'b'], maxRounds: 2 });
  await accepted();
  await world.database.advance(POLL_MS);
  await noneRuns();
  const ended = { startTime: after(POLL_MS - 2_000), endTime: after(POLL_MS - 1_000) };
  const rows = [scan('a', 'failed', ended), scan('b', 'failed', ended)];
  await page(rows);
  await world.prisma.$executeRaw`UPDATE target SET due_at = rescan_now()`;
  await world.prisma.$executeRaw`UPDATE request SET next_due_at = rescan_now()`;
  const { id } = await world.startAndSettle(answered.lost);
  await world.database.advance(45_000 + GRACE_MS);
  await world.lookUp(clusters(rows));
  expect((await world.prisma.call.findUniqueOrThrow({ where: { id } })).state).toBe('not_carried_out');
  expect(await world.counts(request)).toEqual({ waiting: 2 });
});

it('nor is it one of the next call for the whole task', async () => {
  await world.aRequest({ clusterIds: ['a', 'b'] });
  await accepted();
  await world.database.advance(POLL_MS);
  await noneRuns();
  const ended = { startTime: after(POLL_MS - 2_000), endTime: after(POLL_MS - 1_000) };
  await page([scan('a', 'failed', ended), scan('b', 'failed', ended)]);
  const whole = await world.aRequest({ priority: 'urgent' });
  await world.startAndSettle(answered.lost);
  await world.database.advance(45_000 + GRACE_MS);
  const counts = { scanningClusters: 0, successClusters: 0, failedClusters: 2 };
  const row = { ...ended, ...counts, estimatedMinutes: null, taskId: TASK, taskStatus: 'finished' as const };
  await world.lookUp(read({ rows: [row], rowsSeen: 1, total: 1, nextOffset: null }), world.laneFor('listTasks'));
  expect(await world.counts(whole)).toEqual({ waiting: 1 });
});
