import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { QUEUE_BACKENDS, retryAllOf, retryOf, ServiceRig } from '../support/service-rig.js';
import { clustersIn, mostWithin, retryCalls, timesSent } from '../support/upstream-record.js';

const LIMIT = 2;
const WINDOW_MS = 1_000;

describe.each(QUEUE_BACKENDS)('the main job, with the queue on %s', (queue) => {
  let rig: ServiceRig;
  let team: ApiClient;

  beforeAll(async () => {
    rig = await ServiceRig.open({
      queue,
      credentials: [{ limits: { retryTask: { calls: LIMIT, windowMs: WINDOW_MS } } }],
    });
    await rig.start();
    team = await rig.client({ caller: 'team-a' });
  });

  afterAll(() => rig.close());

  const callsFor = (taskId: string) => retryCalls(rig.simulator).filter((call) => call.taskId === taskId);

  it('takes a request, sends it in one call, and shows it over every route', async () => {
    const task = rig.task(3);
    const body = { ...retryOf(task), scanTypes: ['benchmark', 'cluster_vul'], labels: { ticket: 'INC-1' } };
    const submitted = await team.trySubmit(body);
    const { id } = submitted.body;

    expect(submitted.status).toBe(202);
    expect(submitted.headers.get('location')).toBe(`/v1/requests/${id}`);
    expect(submitted.headers.get('idempotency-replayed')).toBeNull();
    expect(submitted.body).toMatchObject({
      projectId: task.projectId,
      enterpriseProjectId: '0',
      taskId: task.taskId,
      range: 'specific_cluster',
      priority: 'normal',
      state: 'open',
      source: 'api',
      caller: 'team-a',
      labels: { ticket: 'INC-1' },
      deadline: null,
      finishedAt: null,
      replayOf: null,
      resolved: true,
      counts: { total: 3, waiting: 3, accepted: 0 },
    });

    const accepted = await team.untilAllAccepted(id);
    expect(accepted).toMatchObject({ state: 'open', counts: { total: 3, waiting: 0, accepted: 3 } });

    const [call] = await team.calls(id);
    expect(call).toMatchObject({
      lane: 'main.retryTask',
      credential: 'main',
      projectId: task.projectId,
      taskId: task.taskId,
      rangeType: 'specific_cluster',
      clusterCount: 3,
      state: 'accepted',
      httpStatus: 200,
      errorCode: null,
      errorText: null,
      upstreamRequestId: expect.any(String),
      durationMs: expect.any(Number),
      decision: expect.objectContaining({ call: 'accepted' }),
      policyVersion: '1',
      requestIds: [id],
    });
    expect(await team.call(call!.id)).toEqual(call);
    expect((await team.get('/v1/calls?limit=1')).body.items).toEqual([call]);

    const scanTypes = ['cluster_vul', 'benchmark'];
    expect(await team.all(`/v1/calls/${call!.id}/targets`)).toEqual(
      task.clusterIds.map((clusterId) => ({ clusterId, scanTypes, requestId: id })),
    );
    expect(await team.targets(id)).toEqual(
      task.clusterIds.map((clusterId) => ({
        clusterId,
        scanTypes,
        state: 'accepted',
        result: null,
        reason: null,
        scans: [],
        round: 1,
        attempts: 0,
        callIds: [call!.id],
        dueAt: null,
        waitingFor: null,
      })),
    );
    expect(
      (await team.get(`/v1/requests?projectId=${task.projectId}&taskId=${task.taskId}&state=open&source=api`)).body,
    ).toEqual({ items: [accepted], nextCursor: null });

    const [sent, ...more] = callsFor(task.taskId);
    expect(more).toEqual([]);
    expect(sent?.query).toBe('enterprise_project_id=0');
    expect(JSON.parse(sent?.body ?? '')).toEqual({
      task_type: 'cluster_scan',
      cluster_scan_info: {
        range_type: 'specific_cluster',
        cluster_info_list: task.clusterIds.map((cluster_id) => ({ cluster_id, scan_type_list: scanTypes })),
      },
    });
    expect(sent?.bodySha256).toBe((call as any).bodySha256);
  });

  it('sends a whole task as one range, whatever its size', async () => {
    const task = rig.task(300);
    const { id, counts, resolved } = await team.submit(retryAllOf(task));
    expect({ total: counts.total, resolved }).toEqual({ total: 1, resolved: false });

    await team.untilAllAccepted(id);
    expect(callsFor(task.taskId).map(({ body }) => JSON.parse(body ?? '').cluster_scan_info)).toEqual([
      { range_type: 'all_failed_cluster' },
    ]);
    expect(callsFor(task.taskId)[0]?.clustersTaken).toHaveLength(300);
    const targets = await team.targets(id);
    expect(new Set(targets.map(({ clusterId }) => clusterId))).toEqual(new Set(task.clusterIds));
    expect(targets.every(({ state }) => state === 'accepted')).toBe(true);
  });

  it('sends 450 clusters in 3 calls of 200, 200 and 50, as the window allows', async () => {
    // One more has failed than is wanted.
    const task = rig.task(451);
    const { id } = await team.submit(retryOf(task, task.clusterIds.slice(0, 450)));
    await team.untilAllAccepted(id, { limitMs: 15_000 });

    const calls = callsFor(task.taskId);
    expect(calls.map((call) => clustersIn(call).length).sort((a, b) => b - a)).toEqual([200, 200, 50]);
    expect([...timesSent(calls).keys()].sort()).toEqual(task.clusterIds.slice(0, 450));
    expect([...timesSent(calls).values()].every((times) => times === 1)).toBe(true);
  });

  it('stayed within its window all the time', () => {
    expect(mostWithin(retryCalls(rig.simulator), WINDOW_MS)).toBeLessThanOrEqual(LIMIT);
  });
});
