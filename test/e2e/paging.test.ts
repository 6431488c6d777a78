import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { retryAllOf, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import type { CallTargetView, CallView, RequestView, TargetView } from '../support/wire-types.js';

let rig: ServiceRig;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open();
  await rig.start();
  team = await rig.client();
});

afterAll(() => rig.close());

const ids = (things: readonly { id: string }[]) => things.map(({ id }) => id);

async function anAcceptedRequest(task: RigTask): Promise<RequestView> {
  const { id } = await team.submit(retryOf(task));
  return team.untilAllAccepted(id);
}

/** One after the other: the order of their ids is that of their submission. */
async function requestsOf(task: RigTask, n: number): Promise<string[]> {
  const submitted: string[] = [];
  for (let i = 0; i < n; i += 1) submitted.push((await team.submit(retryAllOf(task))).id);
  return submitted;
}

describe('a list', () => {
  it.each([1, 2, 3, 200])(
    'of requests shows each once, newest first, while new ones come in: limit=%i',
    async (limit) => {
      const task = rig.task(1);
      const submitted = await requestsOf(task, 7);
      const seen = await team.all<RequestView>(`/v1/requests?taskId=${task.taskId}&limit=${limit}`, async () => {
        await team.submit(retryAllOf(task));
      });
      expect(ids(seen)).toEqual(submitted.reverse());
    },
  );

  it.each([1, 7, 200])('of targets shows each once, in their order: limit=%i', async (limit) => {
    const task = rig.task(23);
    const { id } = await anAcceptedRequest(task);
    const seen = await team.all<TargetView>(`/v1/requests/${id}/targets?limit=${limit}`);
    expect(seen.map(({ clusterId }) => clusterId)).toEqual(task.clusterIds);
  });

  it.each([1, 7, 200])('of the clusters of a call shows each once, in the order sent: limit=%i', async (limit) => {
    const task = rig.task(23);
    const { id } = await anAcceptedRequest(task);
    const [call] = await team.calls(id);
    const seen = await team.all<CallTargetView>(`/v1/calls/${call?.id}/targets?limit=${limit}`);
    expect(seen.map(({ clusterId }) => clusterId)).toEqual(task.clusterIds);
  });

  it.each([1, 2])('of calls shows each once, newest first, while new ones go out: limit=%i', async (limit) => {
    const project = { projectId: `calls-by-${limit}` };
    const requests: string[] = [];
    for (let i = 0; i < 4; i += 1) requests.push((await anAcceptedRequest(rig.task(1, project))).id);
    const seen = await team.all<CallView>(`/v1/calls?projectId=${project.projectId}&limit=${limit}`, async () => {
      await anAcceptedRequest(rig.task(1, project));
    });
    expect(seen.flatMap(({ requestIds }) => requestIds)).toEqual(requests.reverse());
  });

  it('shows 50 where no limit is given, and ends without a cursor', async () => {
    const task = rig.task(51);
    const { id } = await anAcceptedRequest(task);
    const first = await team.get(`/v1/requests/${id}/targets`);
    expect(first.body.items).toHaveLength(50);
    const second = await team.get(`/v1/requests/${id}/targets?cursor=${first.body.nextCursor}`);
    expect([second.body.items.length, second.body.nextCursor]).toEqual([1, null]);
  });

  it('of targets is narrowed down by state and result', async () => {
    const task = rig.task(3);
    const [culprit, ...others] = task.clusterIds;
    const poison = { kind: 'poison', clusterIds: [culprit!] } as const;
    rig.simulator.controls.addFaults({ taskId: task.taskId, times: null, effect: poison });
    const { id } = await team.submit(retryOf(task));
    await team.until(id, ({ counts }) => counts.rejected === 1 && counts.accepted === 2);
    const clusters = async (query: string) => (await team.targets(id, query)).map(({ clusterId }) => clusterId);

    expect(await clusters('&state=accepted')).toEqual(others);
    expect(await clusters('&state=done')).toEqual([culprit]);
    expect(await clusters('&result=rejected')).toEqual([culprit]);
    expect(await clusters('&state=waiting')).toEqual([]);
  });
});

describe('the filters of calls', () => {
  const project = { projectId: 'filtered' };
  let good: RigTask;
  let accepted: CallView;
  let rejected: CallView;

  beforeAll(async () => {
    good = rig.task(2, project);
    [accepted] = (await team.calls((await anAcceptedRequest(good)).id)) as [CallView];
    // The upstream does not know this task.
    const { id } = await team.submit(retryOf({ ...project, taskId: 'unknown-task', clusterIds: ['c-1'] }));
    await team.until(id, ({ state }) => state === 'finished');
    [rejected] = (await team.calls(id)) as [CallView];
  });

  const found = async (query: string) => ids(await team.all<CallView>(`/v1/calls?projectId=filtered&${query}`));

  it('find by task, cluster, state and error code', async () => {
    expect(await found('')).toEqual([rejected.id, accepted.id]);
    expect(await found(`taskId=${good.taskId}`)).toEqual([accepted.id]);
    expect(await found(`clusterId=${good.clusterIds[1]}`)).toEqual([accepted.id]);
    expect(await found('clusterId=c-1')).toEqual([rejected.id]);
    expect(await found('state=accepted')).toEqual([accepted.id]);
    expect(await found('state=rejected')).toEqual([rejected.id]);
    expect(await found('errorCode=HSS.0011')).toEqual([rejected.id]);
    expect(await found('errorCode=HSS.0011&state=accepted')).toEqual([]);
  });

  it('find by the time of the start, from `since` on and before `until`', async () => {
    expect(accepted.startedAt < rejected.startedAt).toBe(true);
    expect(await found(`since=${rejected.startedAt}`)).toEqual([rejected.id]);
    expect(await found(`until=${rejected.startedAt}`)).toEqual([accepted.id]);
    expect(await found(`since=${accepted.startedAt}&until=${rejected.startedAt}`)).toEqual([accepted.id]);
  });
});
