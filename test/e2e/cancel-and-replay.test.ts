import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { eventually } from '../support/eventually.js';
import { retryCalls } from '../support/upstream-record.js';

const LANE = '/v1/lanes/main.retryTask';

let rig: ServiceRig;
let teamA: ApiClient;
let teamB: ApiClient;
let operator: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open();
  await rig.start();
  teamA = await rig.client({ caller: 'team-a' });
  teamB = await rig.client({ caller: 'team-b' });
  operator = await rig.operator();
});

afterAll(() => rig.close());

/** A request that cannot leave. */
async function aWaitingRequest(task: RigTask): Promise<string> {
  await operator.post(`${LANE}/pause`);
  return (await teamA.submit(retryOf(task))).id;
}

/** A request whose call has arrived upstream, and is not answered for a while. */
async function aRequestBeingSent(task: RigTask): Promise<string> {
  await operator.post(`${LANE}/resume`);
  rig.simulator.controls.addFaults({ taskId: task.taskId, effect: { kind: 'latency', ms: 1_500 } });
  const { id } = await teamA.submit(retryOf(task));
  await teamA.until(id, ({ counts }) => counts.sending === counts.total);
  // Until its first byte is there a cancel would keep it here.
  const isOut = (): boolean => retryCalls(rig.simulator).some(({ taskId }) => taskId === task.taskId);
  await eventually(isOut);
  return id;
}

const eventsOf = (id: string) => rig.query('SELECT kind, actor FROM event WHERE request_id = $1 ORDER BY id', [id]);

describe('cancelling', () => {
  it('ends what waits at once, and twice is fine', async () => {
    const task = rig.task(3);
    const id = await aWaitingRequest(task);
    const first = await teamA.cancel(id);
    expect([first.status, first.body]).toMatchObject([
      200,
      { state: 'cancelled', finishedAt: expect.any(String), counts: { total: 3, waiting: 0, cancelled: 3 } },
    ]);
    expect(await teamA.cancel(id)).toMatchObject({ status: 200, body: first.body });

    expect(await teamA.targets(id)).toEqual(
      task.clusterIds.map((clusterId) =>
        expect.objectContaining({
          clusterId,
          state: 'done',
          result: 'cancelled',
          reason: { code: 'cancelled', text: null },
        }),
      ),
    );
    expect(await eventsOf(id)).toEqual([
      { kind: 'request.submitted', actor: 'team-a' },
      { kind: 'request.cancelled', actor: 'team-a' },
      { kind: 'targets.ended', actor: 'rescan' },
      { kind: 'request.ended', actor: 'rescan' },
    ]);
    await operator.post(`${LANE}/resume`);
    expect(retryCalls(rig.simulator).filter(({ taskId }) => taskId === task.taskId)).toEqual([]);
  });

  it('leaves to a call that is out what it brings', async () => {
    const id = await aRequestBeingSent(rig.task(2));
    expect((await teamA.cancel(id)).body).toMatchObject({ state: 'open', counts: { sending: 2, cancelled: 0 } });
    await teamA.untilAllAccepted(id);
    expect((await teamA.request(id)).state).toBe('open');
  });

  it('ends what comes back from a call without acceptance', async () => {
    const task = rig.task(2);
    rig.simulator.controls.addFaults({
      taskId: task.taskId,
      effect: { kind: 'error', status: 502, code: 'APIGW.0605' },
    });
    const id = await aRequestBeingSent(task);
    await teamA.cancel(id);
    const ended = await teamA.until(id, ({ state }) => state === 'cancelled');
    expect(ended.counts).toMatchObject({ total: 2, cancelled: 2 });
    expect(retryCalls(rig.simulator).filter(({ taskId }) => taskId === task.taskId)).toHaveLength(1);
  });
});

describe('replaying', () => {
  it('asks again, in a new request, for what did not end well', async () => {
    await operator.post(`${LANE}/resume`);
    const task = rig.task(4);
    const culprit = task.clusterIds[1]!;
    const poison = { kind: 'poison', clusterIds: [culprit] } as const;
    rig.simulator.controls.addFaults({ id: 'poison', taskId: task.taskId, times: null, effect: poison });
    const { id } = await teamA.submit({ ...retryOf(task), scanTypes: ['benchmark'], labels: { ticket: 'INC-2' } });
    await teamA.until(id, ({ counts }) => counts.rejected === 1 && counts.accepted === 3);
    rig.simulator.controls.clearFaults('poison');

    const replay = await teamA.replay(id, { priority: 'urgent' });
    expect(replay.status).toBe(202);
    expect(replay.headers.get('location')).toBe(`/v1/requests/${replay.body.id}`);
    expect(replay.body).toMatchObject({
      replayOf: id,
      source: 'replay',
      priority: 'urgent',
      caller: 'team-a',
      taskId: task.taskId,
      labels: { ticket: 'INC-2' },
      counts: { total: 1 },
    });
    await teamA.untilAllAccepted(replay.body.id);
    expect(await teamA.targets(replay.body.id)).toEqual([
      expect.objectContaining({ clusterId: culprit, scanTypes: ['benchmark'], state: 'accepted' }),
    ]);
    expect((await teamA.get(`/v1/requests?source=replay&taskId=${task.taskId}`)).body.items).toHaveLength(1);
  });

  it('takes the results that are named, and finds nothing where none is like that', async () => {
    const id = await aWaitingRequest(rig.task(2));
    const nothing = { status: 409, body: { code: 'nothing_to_replay' } };
    expect(await teamA.replay(id)).toMatchObject(nothing);
    await teamA.cancel(id);
    expect(await teamA.replay(id, { results: ['rejected', 'expired'] })).toMatchObject(nothing);
    expect(await teamA.replay(id, { results: ['cancelled'] })).toMatchObject({
      status: 202,
      body: { counts: { total: 2 } },
    });
  });

  it('is idempotent by its key', async () => {
    const id = await aWaitingRequest(rig.task(2));
    await teamA.cancel(id);
    const [first, second, other] = [
      await teamA.replay(id, {}, 'replay-key'),
      await teamA.replay(id, {}, 'replay-key'),
      await teamA.replay(id, { priority: 'background' }, 'replay-key'),
    ];
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect([second.status, second.body]).toEqual([202, first.body]);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });
});

describe('the request of another caller, in a project that both may touch', () => {
  it('may be read, and not be changed', async () => {
    const id = await aWaitingRequest(rig.task(1));
    expect((await teamB.get(`/v1/requests/${id}`)).status).toBe(200);
    const forbidden = { status: 403, body: { code: 'forbidden' } };
    expect(await teamB.cancel(id)).toMatchObject(forbidden);
    expect(await teamB.replay(id)).toMatchObject(forbidden);
    expect((await teamA.request(id)).state).toBe('open');
  });

  it('may be changed by an operator', async () => {
    const id = await aWaitingRequest(rig.task(1));
    expect(await operator.cancel(id)).toMatchObject({ status: 200, body: { state: 'cancelled', caller: 'team-a' } });
    expect((await operator.replay(id)).status).toBe(202);
  });
});
