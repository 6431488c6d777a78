import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { FaultEffect } from '../../src/simulator/simulator.js';
import type { ApiClient } from '../support/api-client.js';
import { retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { clustersIn, retryCalls } from '../support/upstream-record.js';

let rig: ServiceRig;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [
      {
        projects: ['project-1'],
        timeoutMs: 700,
        limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' },
      },
    ],
    env: {
      BREAKER_FAILURES: '100',
      LEASE_MARGIN: '700ms',
      LOOKUP_GRACE: '1s',
      LOOKUP_BACKOFF_BASE: '200ms',
      LOOKUP_BACKOFF_CAP: '500ms',
    },
  });
  await rig.start();
  team = await rig.client();
});

afterAll(() => rig.close());

const sent = ({ taskId }: RigTask): string[][] =>
  retryCalls(rig.simulator)
    .filter((call) => call.taskId === taskId)
    .map(clustersIn);

/** A task whose first RetryTask goes wrong in this way. */
function aTaskWith(effect: FaultEffect): RigTask {
  const task = rig.task(4);
  rig.simulator.controls.addFaults({ operation: 'RetryTask', taskId: task.taskId, times: 1, effect });
  return task;
}

describe('an answer that never came', () => {
  it.each<[string, FaultEffect]>([
    ['a time-out after the work was done', { kind: 'no_answer', work: 'all' }],
    ['a connection lost after the work was done', { kind: 'reset', work: 'all' }],
    ['half an answer', { kind: 'truncate', work: 'all' }],
  ])('%s: the upstream is asked, and nothing is sent again', async (_title, effect) => {
    const task = aTaskWith(effect);
    const { id } = await team.submit(retryOf(task));
    await team.until(id, ({ counts }) => counts.unknown === 4);
    await team.untilAllAccepted(id, { limitMs: 20_000 });
    expect(sent(task)).toHaveLength(1);
    expect((await team.calls(id)).map(({ state }) => state)).toEqual(['accepted']);
  });

  it.each<[string, FaultEffect]>([
    ['a time-out before anything was done', { kind: 'no_answer', work: 'none' }],
    ['a connection lost before anything was done', { kind: 'reset', work: 'none' }],
  ])('%s: the upstream is asked, and then all of it is sent again', async (_title, effect) => {
    const task = aTaskWith(effect);
    const { id } = await team.submit(retryOf(task));
    await team.untilAllAccepted(id, { limitMs: 20_000 });
    expect(sent(task)).toEqual([task.clusterIds, task.clusterIds]);
    expect((await team.calls(id)).map(({ state }) => state)).toEqual(['accepted', 'not_carried_out']);
    expect((await team.targets(id)).map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
  });

  it('half of the clusters taken: only the others are sent again', async () => {
    const task = aTaskWith({ kind: 'no_answer', work: 'half' });
    const { id } = await team.submit(retryOf(task));
    await team.untilAllAccepted(id, { limitMs: 20_000 });
    const [first = [], second = []] = sent(task);
    expect(first).toEqual(task.clusterIds);
    expect(second).toHaveLength(2);
    expect((await team.calls(id)).map(({ state }) => state)).toEqual(['accepted', 'partly_accepted']);
  });

  it('a whole task: its state in the list of tasks tells', async () => {
    const task = aTaskWith({ kind: 'no_answer', work: 'all' });
    const { id } = await team.submit(retryAllOf(task));
    // As one target first, and then as each cluster that a listing shows to be scanning.
    await team.until(id, ({ counts }) => counts.accepted === 4, { limitMs: 20_000 });
    expect(sent(task)).toHaveLength(1);
  });

  it('is asked for again while the upstream cannot be read', async () => {
    const task = aTaskWith({ kind: 'reset', work: 'all' });
    rig.simulator.controls.addFaults({
      operation: 'ListTaskResources',
      taskId: task.taskId,
      times: 2,
      effect: { kind: 'error', status: 502, shape: 'html' },
    });
    const { id } = await team.submit(retryOf(task));
    await team.untilAllAccepted(id, { limitMs: 20_000 });
    expect(sent(task)).toHaveLength(1);
  });
});
