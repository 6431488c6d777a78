import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryOf, ServiceRig } from '../support/service-rig.js';

const HOUR = 3_600_000;
const PROJECT = 'project-1';

let rig: ServiceRig;
let team: ApiClient;
let auditor: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [{ limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' } }],
    scenario: { scans: { minMs: 100, maxMs: 200, successRate: 1 } },
    env: { VERDICT_POLL: '200ms', VERDICT_POLL_CAP: '500ms', LOOKUP_GRACE: '1s', PAST_AFTER: '1m' },
  });
  await rig.start();
  team = await rig.client();
  auditor = await rig.client({ caller: 'auditor', scopes: ['audit:read', 'requests:read'] });
});
afterAll(() => rig.close());

/** A scan task with a cluster that will scan well and one that will not. */
function aTask(tag: string): { projectId: string; taskId: string; clusterIds: string[] } {
  const clusterIds = [`ill-${tag}`, `well-${tag}`];
  const clusters = clusterIds.map((clusterId) => ({
    clusterId,
    next: [clusterId.startsWith('well') ? 'success' : 'failed'] as const,
  }));
  rig.simulator.controls.addTasks({ projectId: PROJECT, taskId: `task-${tag}`, clusters });
  return { projectId: PROJECT, taskId: `task-${tag}`, clusterIds };
}

async function whereItIs(id: string): Promise<object> {
  const [row] = await rig.query(
    `SELECT (SELECT count(*)::int FROM request WHERE id = $1) AS request, (SELECT count(*)::int FROM target WHERE request_id = $1) AS target,
            (SELECT count(*)::int FROM past_request WHERE id = $1) AS "pastRequest",
            (SELECT count(*)::int FROM past_target WHERE request_id = $1) AS "pastTarget",
            (SELECT count(*)::int FROM scan_item JOIN any_target AS t ON t.id = target_id WHERE request_id = $1) AS "scanItem"`,
    [id],
  );
  return row;
}

/** Everything that the API says of a request, and of its clusters and calls. */
async function allThatIsSaid(id: string, clusterIds: readonly string[]): Promise<unknown> {
  const said: Record<string, unknown> = {};
  const ask = async (client: ApiClient, path: string): Promise<any> => {
    const { status, body } = await client.get(path);
    return ((said[path] = { status, body }), body);
  };
  await ask(team, `/v1/requests/${id}`);
  await ask(team, `/v1/requests/${id}/targets?limit=1`);
  await ask(team, `/v1/requests/${id}/targets?result=scan_failed`);
  await ask(team, `/v1/requests/${id}/callbacks`);
  await ask(team, `/v1/requests?projectId=${PROJECT}&state=finished`);
  await ask(team, '/v1/requests?limit=1');
  const { items: calls } = await ask(team, `/v1/requests/${id}/calls`);
  for (const { id: callId } of calls) await ask(team, `/v1/calls/${callId}/targets`);
  for (const filter of [`clusterId=${clusterIds[0]}`, 'caller=team-a', 'label=env:prod']) {
    await ask(auditor, `/v1/calls?${filter}`);
  }
  for (const cluster of clusterIds) await ask(auditor, `/v1/audit/clusters/${cluster}?projectId=${PROJECT}`);
  await ask(auditor, `/v1/audit/requests/${id}/trace`);
  await ask(auditor, `/v1/audit/events?requestId=${id}`);
  const exported = await fetch(`${auditor.baseUrl}/v1/audit/export?kind=targets&format=ndjson`, {
    headers: { authorization: `Bearer ${auditor.key}` },
  });
  said['export'] = await exported.text();
  return said;
}

it('a request that ended long ago is moved to where it is kept by months, and nobody sees a difference', async () => {
  const task = aTask('moved');
  const key = randomUUID();
  const body = { ...retryOf(task), labels: { env: 'prod' } };
  const { id } = await team.submit(body, key);
  await team.until(id, ({ state }) => state === 'finished', { limitMs: 30_000 });
  // What is told of it by the sealer and by polls has come to rest.
  await eventuallyHolds(async () => expect(await rig.query('SELECT 1 FROM watch')).toEqual([]));
  const before = await allThatIsSaid(id, task.clusterIds);
  expect(await whereItIs(id)).toMatchObject({ request: 1, target: 2, pastRequest: 0, scanItem: 6 });

  await rig.advance(2 * HOUR);
  await eventuallyHolds(async () => {
    expect(await whereItIs(id)).toEqual({ request: 0, target: 0, pastRequest: 1, pastTarget: 2, scanItem: 0 });
  });
  expect(await allThatIsSaid(id, task.clusterIds)).toEqual(before);
  expect((await team.submit(body, key)).id).toBe(id);

  const replayed = await team.replay(id, { results: ['scan_failed'] });
  expect(replayed).toMatchObject({ status: 202, body: { replayOf: id, counts: { total: 1 } } });
  await team.until(replayed.body.id, ({ state }) => state === 'finished', { limitMs: 30_000 });
  expect((await team.targets(replayed.body.id)).map(({ clusterId }) => clusterId)).toEqual([task.clusterIds[0]]);
});

it('one that is not at its end stays, however old it is', async () => {
  await (await rig.operator()).post('/v1/lanes/main.retryTask/pause');
  const { id } = await team.submit(retryOf(aTask('waits')));
  await rig.advance(3 * HOUR);
  const { id: other } = await team.submit(retryOf(aTask('other')));
  await team.cancel(other);
  await rig.advance(2 * HOUR);
  await eventuallyHolds(async () => expect(await whereItIs(other)).toMatchObject({ request: 0, pastRequest: 1 }));
  expect(await whereItIs(id)).toMatchObject({ request: 1, target: 2 });
});
