import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { retryCalls } from '../support/upstream-record.js';
import type { RequestView } from '../support/wire-types.js';

const QUICK_LISTS = { limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' } };
const QUICK = { VERDICT_POLL: '200ms', VERDICT_POLL_CAP: '500ms', LOOKUP_GRACE: '1s', ROUND_PAUSE: '300ms' };
const scans = { minMs: 200, maxMs: 600, successRate: 1 };

let rig: ServiceRig;
let team: ApiClient;

const open = async (scenario: object, env: Record<string, string> = {}): Promise<void> => {
  rig = await ServiceRig.open({
    credentials: [QUICK_LISTS],
    scenario: { scans, ...scenario },
    env: { ...QUICK, ...env },
  });
  await rig.start();
  team = await rig.client();
};
const finished = (id: string): Promise<RequestView> =>
  team.until(id, ({ state }) => state === 'finished', { limitMs: 30_000 });

/** A task whose clusters scan as planned, round by round. */
function planned(plans: Record<string, readonly ('success' | 'failed' | 'stuck')[]>): RigTask {
  const task = {
    projectId: 'project-1',
    taskId: `task-${crypto.randomUUID().slice(0, 8)}`,
    clusterIds: Object.keys(plans),
  };
  const clusters = Object.entries(plans).map(([clusterId, next]) => ({ clusterId, next }));
  rig.simulator.controls.addTasks({ projectId: task.projectId, taskId: task.taskId, clusters });
  return task;
}

describe('what became of a retry', () => {
  beforeAll(() => open({}));
  afterAll(() => rig.close());

  it('is read for each cluster, with its scan items', async () => {
    const task = planned({ well: ['success'], ill: ['failed'] });
    const { id } = await team.submit(retryOf(task));
    const { counts } = await finished(id);
    expect(counts).toMatchObject({ total: 2, succeeded: 1, scanFailed: 1 });
    const targets = new Map((await team.targets(id)).map((target) => [target.clusterId, target]));
    expect(targets.get('well')).toMatchObject({ result: 'succeeded', round: 1, waitingFor: null });
    expect(targets.get('ill')).toMatchObject({ result: 'scan_failed', reason: { code: 'scan_failed' } });
    expect(targets.get('ill')?.scans.map(({ scanType, status }) => [scanType, status])).toEqual([
      ['benchmark', 'failed'],
      ['cluster_vul', 'failed'],
      ['risk_assessment', 'failed'],
    ]);
    expect((await team.calls(id))[0]).toMatchObject({ effect: 'renewed', verdictDueAt: null });
  });

  it('opens another round where it failed, as often as was asked for', async () => {
    const task = planned({ first: ['success'], second: ['failed', 'success'], never: ['failed', 'failed', 'failed'] });
    const { id } = await team.submit({ ...retryOf(task), maxRounds: 3 });
    expect((await finished(id)).counts).toMatchObject({ succeeded: 2, scanFailed: 1 });
    const rounds = Object.fromEntries((await team.targets(id)).map(({ clusterId, round }) => [clusterId, round]));
    expect(rounds).toEqual({ first: 1, second: 2, never: 3 });
    expect(retryCalls(rig.simulator).filter(({ taskId }) => taskId === task.taskId)).toHaveLength(3);
    const { body } = await team.get('/v1/retry-outcomes?projectId=project-1');
    const helped = body.items.filter((item: { round: number }) => item.round === 2);
    expect(helped.reduce((sum: number, item: { succeeded: number }) => sum + item.succeeded, 0)).toBe(3);
    expect(helped.every((item: { reason: string }) => item.reason !== 'unknown')).toBe(true);
  });

  it('is told of each cluster of a whole task', async () => {
    const task = rig.task(230);
    const { id } = await team.submit(retryAllOf(task));
    expect((await finished(id)).counts).toMatchObject({ total: 230, succeeded: 230 });
    // Its listing has told why they had failed.
    const { body } = await team.get('/v1/retry-outcomes');
    const first = body.items.filter((item: { round: number }) => item.round === 1);
    expect(first.some((item: { reason: string }) => item.reason !== 'unknown')).toBe(true);
  });

  it('is told to others who wait for the same cluster', async () => {
    const task = planned({ shared: ['success'] });
    const other = await rig.client({ caller: 'team-b' });
    const first = await team.submit(retryOf(task));
    await team.until(first.id, ({ counts }) => counts.waiting === 0);
    const second = await other.submit(retryOf(task));
    expect((await finished(first.id)).counts).toMatchObject({ succeeded: 1 });
    expect((await finished(second.id)).counts).toMatchObject({ total: 1, waiting: 0, accepted: 0 });
  });
});

describe('an upstream that leaves all times as they were', () => {
  beforeAll(() => open({ behaviour: { renewsStartTime: 'no_times' } }));
  afterAll(() => rig.close());

  it('is believed once the grace is over and it was seen scanning', async () => {
    const task = planned({ well: ['success'], ill: ['failed'], bad: ['failed'] });
    const { id } = await team.submit(retryOf(task));
    expect((await finished(id)).counts).toMatchObject({ succeeded: 1, scanFailed: 2 });
    expect((await team.calls(id))[0]).toMatchObject({ effect: 'kept' });
  });
});

describe('scans that do not come to an end', () => {
  beforeAll(() => open({}, { VERDICT_TIMEOUT: '4s', VERDICT_READ_THROUGH: '1s' }));
  afterAll(() => rig.close());

  it('keep no other cluster from its verdict, and end as unverified', async () => {
    const task = planned({ well: ['success'], ill: ['failed'], stuck: ['stuck'] });
    const { id } = await team.submit(retryOf(task));
    expect((await finished(id)).counts).toMatchObject({ succeeded: 1, scanFailed: 1, unverified: 1 });
    const [stuck] = await team.targets(id, '&result=unverified');
    expect(stuck).toMatchObject({ clusterId: 'stuck', reason: { code: 'verdict_timeout' } });
  });
});

describe('scans that show late', () => {
  beforeAll(() => open({ scans: { ...scans, visibleAfterMs: 2_500 } }));
  afterAll(() => rig.close());

  it('are waited for, though the rows of before say that they failed', async () => {
    const task = planned({ well: ['success'], ill: ['failed'] });
    const { id } = await team.submit(retryOf(task));
    await eventuallyHolds(async () => {
      const [read] = await rig.query('SELECT count(seen_at)::int AS rows FROM live_cluster');
      expect(read).toEqual({ rows: 2 });
    });
    expect((await team.request(id)).counts).toMatchObject({ accepted: 2 });
    expect((await finished(id)).counts).toMatchObject({ succeeded: 1, scanFailed: 1 });
  });
});

describe('a call that HSS accepts and forgets', () => {
  beforeAll(() => open({ scans: { ...scans, visibleAfterMs: 3_600_000 } }, { VERDICT_TIMEOUT: '3s' }));
  afterAll(() => rig.close());

  it('is a phantom, and is counted', async () => {
    const { id } = await team.submit(retryOf(rig.task(2)));
    expect((await finished(id)).counts).toMatchObject({ total: 2, unverified: 2 });
    expect((await team.targets(id))[0]).toMatchObject({ reason: { code: 'no_effect' } });
    expect((await team.calls(id))[0]).toMatchObject({ state: 'accepted', effect: 'phantom' });
    expect((await team.get('/v1/calls?effect=phantom')).body.items).toHaveLength(1);
    const metrics = await fetch(`${team.baseUrl}/metrics`, {
      headers: { authorization: `Bearer ${(await rig.operator()).key}` },
    });
    expect(await metrics.text()).toMatch(/rescan_phantom_calls_total 1/);
  });
});
