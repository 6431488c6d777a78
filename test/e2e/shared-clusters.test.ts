import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient, NewRequest } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { QUEUE_BACKENDS, retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { clustersIn, retryCalls } from '../support/upstream-record.js';
import type { CallView } from '../support/wire-types.js';

const HOUR = 3_600_000;

describe.each(QUEUE_BACKENDS)('clusters that several want, with the queue on %s', (queue) => {
  let rig: ServiceRig;
  let teamA: ApiClient;
  let teamB: ApiClient;

  beforeAll(async () => {
    rig = await ServiceRig.open({ queue });
    await rig.start();
    teamA = await rig.client({ caller: 'team-a' });
    teamB = await rig.client({ caller: 'team-b' });
  });

  afterAll(() => rig.close());

  const callsFor = (taskId: string) => retryCalls(rig.simulator).filter((call) => call.taskId === taskId);

  /** Work that is to meet: nothing leaves before all of it is there. */
  async function whilePaused<T>(submit: () => Promise<T>): Promise<T> {
    const operator = await rig.operator();
    await operator.post('/v1/lanes/main.retryTask/pause');
    const submitted = await submit();
    await operator.post('/v1/lanes/main.retryTask/resume');
    return submitted;
  }

  it('puts overlapping requests of two callers into one call, and sends a cluster once, for all that they want', async () => {
    const task = rig.task(3);
    const [onlyA, both, onlyB] = task.clusterIds as [string, string, string];
    const [a, b] = await whilePaused(() =>
      Promise.all([
        teamA.submit({ ...retryOf(task, [onlyA, both]), scanTypes: ['benchmark'] }),
        teamB.submit({ ...retryOf(task, [both, onlyB]), scanTypes: ['cluster_vul'] }),
      ]),
    );
    await Promise.all([teamA.untilAllAccepted(a.id), teamB.untilAllAccepted(b.id)]);

    expect(callsFor(task.taskId).map(({ body }) => JSON.parse(body ?? '').cluster_scan_info.cluster_info_list)).toEqual(
      [
        [
          { cluster_id: onlyA, scan_type_list: ['benchmark'] },
          { cluster_id: both, scan_type_list: ['cluster_vul', 'benchmark'] },
          { cluster_id: onlyB, scan_type_list: ['cluster_vul'] },
        ],
      ],
    );
    const [call] = await teamA.calls(a.id);
    expect(call).toMatchObject({ clusterCount: 3, requestIds: [a.id, b.id].sort() });
    expect(await teamB.calls(b.id)).toEqual([call]);
    expect(await teamA.all(`/v1/calls/${call!.id}/targets`)).toHaveLength(4);
  });

  it('sends the most urgent first, and among equals the oldest', async () => {
    const projectId = 'project-of-priorities';
    const submit = async (priority: string) =>
      (await teamA.submit({ ...retryOf(rig.task(1, { projectId })), priority })).id;
    const ids = await whilePaused(async () => {
      const [background, normal, later] = [await submit('background'), await submit('normal'), await submit('normal')];
      return [await submit('urgent'), normal, later, background];
    });
    for (const id of ids) await teamA.untilAllAccepted(id);
    const calls = await teamA.all<CallView>(`/v1/calls?projectId=${projectId}`);
    expect(calls.reverse().flatMap(({ requestIds }) => requestIds)).toEqual(ids);
  });

  it('never has a cluster in two live calls: a late wish for it waits, and is told why', async () => {
    const task = rig.task(2);
    const first = await teamA.submit(retryOf(task));
    await teamA.untilAllAccepted(first.id);
    const late = await teamB.submit(retryOf(task));

    await eventuallyHolds(async () => {
      const waitingFor = (await teamB.targets(late.id)).map((target) => target.waitingFor);
      expect(waitingFor).toEqual(['live_cluster', 'live_cluster']);
    });
    expect(callsFor(task.taskId)).toHaveLength(1);
  });

  it('has a whole task in one live call alone: others of the task wait for its end, and it for theirs', async () => {
    const [whole, some] = [rig.task(3), rig.task(3)];
    // Urgent, it waits for no listing of its clusters.
    const all = (task: RigTask): NewRequest => ({ ...retryAllOf(task), priority: 'urgent' });
    const first = [await teamA.submit(all(whole)), await teamA.submit(retryOf(some))];
    for (const { id } of first) await teamA.untilAllAccepted(id);
    const late = [await teamB.submit(retryOf(whole)), await teamB.submit(all(some))];
    for (const { id } of late) {
      await eventuallyHolds(async () => {
        expect((await teamB.targets(id))[0]).toMatchObject({ state: 'waiting', waitingFor: 'live_cluster' });
      });
    }
    expect([...callsFor(whole.taskId), ...callsFor(some.taskId)]).toHaveLength(2);
  });

  it('ends what got no verdict as unverified, with what waited for it, and lets its clusters go', async () => {
    const task = rig.task(2);
    const first = await teamA.submit(retryOf(task));
    await teamA.untilAllAccepted(first.id);
    const late = await teamB.submit(retryOf(task, task.clusterIds.slice(0, 1)));
    await eventuallyHolds(async () => {
      expect((await teamB.targets(late.id))[0]).toMatchObject({ waitingFor: 'live_cluster', dueAt: null });
    });
    await rig.advance(6 * HOUR + 1_000);

    const ended = await teamA.until(first.id, ({ state }) => state === 'finished');
    expect(ended).toMatchObject({ finishedAt: expect.any(String), counts: { total: 2, accepted: 0, unverified: 2 } });
    expect(await teamB.request(late.id)).toMatchObject({ state: 'finished', counts: { total: 1, unverified: 1 } });
    for (const target of [...(await teamA.targets(first.id)), ...(await teamB.targets(late.id))]) {
      expect(target).toMatchObject({ state: 'done', result: 'unverified', reason: { code: 'verdict_timeout' } });
    }

    const again = await teamA.submit(retryOf(task));
    await teamA.untilAllAccepted(again.id);
    expect(callsFor(task.taskId).map(clustersIn)).toEqual([task.clusterIds, task.clusterIds]);
  });
});
