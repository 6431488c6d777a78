import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { retryCalls } from '../support/upstream-record.js';

const QUICK_LISTS = { limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' } };

let rig: ServiceRig;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({ credentials: [QUICK_LISTS], env: { LOOKUP_GRACE: '500ms' } });
  await rig.start();
  team = await rig.client();
});
afterAll(() => rig.close());

const sentFor = ({ taskId }: RigTask): { range: string; taken: number }[] =>
  retryCalls(rig.simulator)
    .filter((call) => call.taskId === taskId)
    .map(({ body, clustersTaken }) => ({
      range: JSON.parse(body ?? '').cluster_scan_info.range_type as string,
      taken: clustersTaken.length,
    }));

describe('all that has failed of a scan task', () => {
  it('goes out as one call, whoever wants which part of it', async () => {
    const task = rig.task(450);
    const other = await rig.client({ caller: 'team-b' });
    const [large, part] = await Promise.all([
      team.submit(retryOf(task)),
      other.submit({ ...retryOf(task, task.clusterIds.slice(100, 320)) }),
    ]);
    await team.untilAllAccepted(large.id);
    expect(sentFor(task)).toEqual([{ range: 'all_failed_cluster', taken: 450 }]);
    const [call] = await team.calls(large.id);
    expect(call).toMatchObject({ rangeType: 'all_failed_cluster', clusterCount: 450, state: 'accepted' });
    const [of] = await other.calls(part.id);
    const [target] = await other.targets(part.id);
    // It came before the call and went with it, or after it and waits for its clusters.
    expect(of ? of.id : target?.waitingFor).toBe(of ? call?.id : 'live_cluster');
  });

  it('is what a large request waits for meanwhile', async () => {
    const task = rig.task(250);
    const slow = { kind: 'latency', ms: 1_500 } as const;
    rig.simulator.controls.addFaults({ operation: 'ListTasks', taskId: task.taskId, effect: slow });
    const { id } = await team.submit(retryOf(task));
    await eventuallyHolds(async () => {
      expect((await team.targets(id))[0]).toMatchObject({ state: 'waiting', waitingFor: 'listing' });
    });
    await team.untilAllAccepted(id);
  });

  it('is asked for by its clusters where one more has failed than anybody wants', async () => {
    const task = rig.task(301);
    const { id } = await team.submit(retryOf(task, task.clusterIds.slice(1)));
    await team.untilAllAccepted(id);
    expect(sentFor(task)).toEqual([
      { range: 'specific_cluster', taken: 200 },
      { range: 'specific_cluster', taken: 100 },
    ]);
  });

  it('is named once it is listed, where the whole task was asked for', async () => {
    const task = rig.task(3);
    const { id } = await team.submit(retryAllOf(task));
    const request = await team.untilAllAccepted(id);
    expect(request).toMatchObject({ resolved: true, counts: { total: 3, accepted: 3 } });
    expect(new Set((await team.targets(id)).map(({ clusterId }) => clusterId))).toEqual(new Set(task.clusterIds));
    expect(sentFor(task)).toEqual([{ range: 'specific_cluster', taken: 3 }]);
  });

  it('is waited for by nobody whose wish is urgent, and named afterwards', async () => {
    const task = rig.task(3);
    const { id } = await team.submit({ ...retryAllOf(task), priority: 'urgent' });
    const request = await team.until(id, ({ resolved }) => resolved, { limitMs: 20_000 });
    expect(request.counts).toMatchObject({ total: 3, accepted: 3 });
    expect(sentFor(task)).toEqual([{ range: 'all_failed_cluster', taken: 3 }]);
  });

  it('may be nothing', async () => {
    const task = rig.task(0);
    const { id } = await team.submit(retryAllOf(task));
    const request = await team.until(id, ({ state }) => state === 'finished', { limitMs: 20_000 });
    expect(request.counts).toMatchObject({ total: 1, notFailed: 1 });
    expect(sentFor(task)).toEqual([]);
  });
});
