import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryAllOf, retryOf, ServiceRig, simulatorKey } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';
import { retryCalls, timesSent } from '../support/upstream-record.js';
import type { RequestView, TargetView } from '../support/wire-types.js';

const MINUTE = 60_000;
const QUICK_LISTS = { limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' } };
const QUICK = { VERDICT_POLL: '200ms', VERDICT_POLL_CAP: '500ms', LOOKUP_GRACE: '1s' };
/** Somebody who uses HSS without the service. */
const stranger = { name: 'stranger', password: 'of-no-use-elsewhere', domain: 'elsewhere' };
const task = { projectId: 'project-1', taskId: 'scanning-task', clusterIds: ['other', 'ill', 'well'] };

let rig: ServiceRig;
let team: ApiClient;
let operator: ApiClient;
let doomed: ServiceProcess;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [QUICK_LISTS],
    scenario: {
      credentials: [
        { name: 'main', projects: '*', accessKey: simulatorKey },
        { name: 'stranger', projects: '*', user: stranger },
      ],
      scans: { minMs: MINUTE, maxMs: MINUTE, successRate: 1 },
    },
    env: QUICK,
  });
  const [api, worker] = await Promise.all([rig.start({ ROLE: 'api' }), rig.start({ ROLE: 'worker' })]);
  doomed = worker;
  team = await rig.client({ of: api });
  operator = await rig.operator({ of: api });
});
afterAll(() => rig.close());

/** A paused project is read for, and nothing leaves for it. */
async function pause(paused: boolean): Promise<void> {
  const answer = await operator.send('PUT', `/v1/projects/${task.projectId}/pause`, { paused });
  expect(answer).toMatchObject({ status: 200, body: { paused } });
}

/** A RetryTask that the service knows nothing of. */
async function retryElsewhere(...clusterIds: string[]): Promise<void> {
  const { hssUrl, iamUrl } = rig.simulator;
  const { name, password, domain } = stranger;
  const identity = { methods: ['password'], password: { user: { name, password, domain: { name: domain } } } };
  const post = (url: string, method: string, body: object, headers: object): Promise<Response> =>
    fetch(url, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
  const login = { auth: { identity, scope: { project: { id: task.projectId } } } };
  const token = (await post(`${iamUrl}/v3/auth/tokens`, 'POST', login, {})).headers.get('x-subject-token') ?? '';
  const info = {
    range_type: 'specific_cluster',
    cluster_info_list: clusterIds.map((cluster_id) => ({ cluster_id })),
  };
  const retry = { task_type: 'cluster_scan', cluster_scan_info: info };
  const url = `${hssUrl}/v5/${task.projectId}/common/tasks/${task.taskId}/retry`;
  expect((await post(url, 'PUT', retry, { 'x-auth-token': token })).status).toBe(200);
}

describe('clusters that scan already when they are asked for', () => {
  it('are not sent until that scan is over, and only where it has failed, whatever becomes of the worker', async () => {
    const clusters = [
      { clusterId: 'other' },
      { clusterId: 'well', next: ['success'] },
      { clusterId: 'ill', next: ['failed', 'success'] },
    ] as const;
    rig.simulator.controls.addTasks({ projectId: task.projectId, taskId: task.taskId, clusters });
    await retryElsewhere('well', 'ill');
    rig.simulator.controls.clearLedger();

    await pause(true);
    const { id } = await team.submit(retryOf(task));
    // Whoever wants the whole task has it listed.
    await team.submit(retryAllOf(task));
    const byCluster = async (): Promise<Record<string, TargetView>> =>
      Object.fromEntries((await team.targets(id)).map((target) => [target.clusterId ?? '', target]));
    await eventuallyHolds(async () => {
      const { well, ill } = await byCluster();
      expect([well, ill]).toEqual(Array(2).fill(expect.objectContaining({ state: 'waiting', waitingFor: 'scan' })));
    });
    await doomed.kill();
    await rig.start({ ROLE: 'worker' });
    await pause(false);
    await team.until(id, ({ counts }) => counts.accepted === 1 && counts.waiting === 2);
    expect(timesSent(retryCalls(rig.simulator))).toEqual(new Map([['other', 1]]));

    await rig.advance(MINUTE);
    // Sent as well: a call that is still on its way begins its scan after the minute.
    const isSent = (counts: RequestView['counts']): boolean => counts.waiting + counts.sending === 0;
    await team.until(id, ({ counts }) => counts.notFailed === 1 && isSent(counts), { limitMs: 20_000 });
    await rig.advance(MINUTE);
    await team.until(id, ({ state }) => state === 'finished', { limitMs: 20_000 });
    const { well, ill, other } = await byCluster();
    expect(well).toMatchObject({ result: 'not_failed', reason: { code: 'scanned_already' }, callIds: [], attempts: 0 });
    expect([ill, other]).toEqual(Array(2).fill(expect.objectContaining({ result: 'succeeded', round: 1 })));
    expect(Object.fromEntries(timesSent(retryCalls(rig.simulator)))).toEqual({ ill: 1, other: 1 });
    // It starts a second worker on the way.
  }, 60_000);
});
