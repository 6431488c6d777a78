import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { clustersIn, retryCalls } from '../support/upstream-record.js';

const SPLIT_BUDGET = 20;

let rig: ServiceRig;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({ env: { SPLIT_BUDGET: String(SPLIT_BUDGET) } });
  await rig.start();
  team = await rig.client();
});

afterAll(() => rig.close());

const callsFor = ({ taskId }: RigTask) => retryCalls(rig.simulator).filter((call) => call.taskId === taskId);
const poison = ({ taskId }: RigTask, clusterIds: readonly string[], code = 'HSS.0001') =>
  rig.simulator.controls.addFaults({ taskId, times: null, effect: { kind: 'poison', clusterIds, code } });

describe('a rejection that may blame one cluster', () => {
  it.each([0, 117, 199])('finds the culprit by halves: number %i of 200', async (place) => {
    const task = rig.task(200);
    const culprit = task.clusterIds[place]!;
    poison(task, [culprit]);
    const { id } = await team.submit(retryOf(task));
    const ended = await team.until(id, ({ counts }) => counts.accepted + counts.rejected === 200, { limitMs: 15_000 });

    expect(ended.counts).toMatchObject({ accepted: 199, rejected: 1 });
    expect(await team.targets(id, '&result=rejected')).toEqual([
      expect.objectContaining({
        clusterId: culprit,
        attempts: 0,
        reason: expect.objectContaining({ code: 'HSS.0001' }),
      }),
    ]);
    const [first, ...extra] = callsFor(task);
    expect(clustersIn(first!)).toHaveLength(200);
    expect(extra.length).toBeLessThanOrEqual(SPLIT_BUDGET);
    expect(
      extra
        .filter(({ reply }) => reply && 'status' in reply && reply.status === 200)
        .flatMap(clustersIn)
        .sort(),
    ).toEqual(task.clusterIds.filter((clusterId) => clusterId !== culprit));
  });

  it('spends no more calls than its budget, and ends the rest as rejected', async () => {
    const task = rig.task(200);
    poison(
      task,
      task.clusterIds.filter((_id, index) => index % 20 === 0),
    );
    const { id } = await team.submit(retryOf(task));
    const ended = await team.until(id, ({ counts }) => counts.accepted + counts.rejected === 200, { limitMs: 15_000 });

    expect(callsFor(task).length - 1).toBeLessThanOrEqual(SPLIT_BUDGET);
    const rejected = await team.targets(id, '&result=rejected');
    expect(rejected).toHaveLength(ended.counts.rejected);
    expect(new Set(rejected.map(({ reason }) => reason?.code))).toEqual(new Set(['split_budget']));
    // What was accepted was sent well once, and nothing of it is among the rejected.
    const well = callsFor(task).flatMap(({ clustersTaken }) => clustersTaken);
    expect(well).toHaveLength(ended.counts.accepted);
    expect(rejected.filter(({ clusterId }) => well.includes(clusterId!))).toEqual([]);
  });

  it('ends the one cluster that a call names', async () => {
    const task = rig.task(1);
    poison(task, task.clusterIds, 'HSS.0002');
    const { id } = await team.submit(retryOf(task));
    await team.until(id, ({ state, counts }) => state === 'finished' && counts.rejected === 1);
    expect(callsFor(task)).toHaveLength(1);
  });

  it('lets those who wait for the same cluster have the same answer', async () => {
    const task = rig.task(1);
    poison(task, task.clusterIds);
    rig.simulator.controls.addFaults({ taskId: task.taskId, effect: { kind: 'latency', ms: 1_000 } });
    const first = await team.submit(retryOf(task));
    await team.until(first.id, ({ counts }) => counts.sending === 1);
    const late = await team.submit(retryOf(task));
    await team.until(late.id, ({ counts }) => counts.rejected === 1);
    expect((await team.request(first.id)).counts.rejected).toBe(1);
  });
});

describe('a rejection of the whole task', () => {
  it.each(['HSS.0010', 'HSS.0011', 'HSS.0013', '00000010'])(
    '%s ends all its targets with the evidence, in one call',
    async (code) => {
      const task = rig.task(250);
      rig.simulator.controls.addFaults({
        taskId: task.taskId,
        times: null,
        effect: { kind: 'error', status: 400, code, message: 'no such task here' },
      });
      const [some, all] = [await team.submit(retryOf(task, task.clusterIds.slice(0, 50))), rig.task(1)];
      const ended = await team.until(some.id, ({ state }) => state === 'finished');
      expect(ended.counts).toMatchObject({ total: 50, rejected: 50 });
      for (const target of await team.targets(some.id))
        expect(target.reason).toEqual({ code, text: 'no such task here' });
      expect(callsFor(task)).toHaveLength(1);
      // The lane is as good as before.
      await team.untilAllAccepted((await team.submit(retryAllOf(all))).id);
    },
  );
});
