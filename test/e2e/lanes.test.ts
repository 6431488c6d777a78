import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { QUEUE_BACKENDS, retryOf, ServiceRig } from '../support/service-rig.js';
import { retryCalls } from '../support/upstream-record.js';
import type { LaneView } from '../support/wire-types.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LANE = '/v1/lanes/main.retryTask';

describe.each(QUEUE_BACKENDS)('a lane, with the queue on %s', (queue) => {
  let rig: ServiceRig;
  let team: ApiClient;
  let operator: ApiClient;

  beforeAll(async () => {
    rig = await ServiceRig.open({
      queue,
      credentials: [{ limits: { retryTask: { calls: 1, windowMs: MINUTE } } }],
      // Long waits: what a test sees stays as it is until it moves the time.
      env: { RETRY_BACKOFF_BASE: '2h', RETRY_BACKOFF_CAP: '2h', BREAKER_FAILURES: '2', BREAKER_OPEN: '30m' },
    });
    await rig.start();
    team = await rig.client();
    operator = await rig.operator();
  });

  afterAll(() => rig.close());

  /** All windows, pauses, breakers and backoffs are over, and nothing waits. */
  afterEach(async () => {
    rig.simulator.controls.clearFaults();
    for (const { id } of (await team.get('/v1/requests?state=open&limit=200')).body.items) await team.cancel(id);
    await rig.advance(3 * HOUR);
  });

  const fail = (code: string, times: number, status = 502) =>
    rig.simulator.controls.addFaults({ operation: 'RetryTask', times, effect: { kind: 'error', status, code } });
  const submitOne = async () => (await team.submit(retryOf(rig.task(1)))).id;

  async function shows(lane: Partial<LaneView>): Promise<void> {
    await eventuallyHolds(async () => expect(await operator.lane()).toMatchObject(lane));
  }
  async function waitsFor(id: string, waitingFor: string, state = 'waiting'): Promise<void> {
    await eventuallyHolds(async () => expect((await team.targets(id))[0]).toMatchObject({ state, waitingFor }));
  }

  it('that is free is blocked by nothing', async () => {
    expect(await operator.lane()).toMatchObject({
      limit: 1,
      windowMs: MINUTE,
      slotsInUse: 0,
      nextCallAt: expect.any(String),
      pausedUntil: null,
      breaker: 'closed',
      blockedBy: null,
      waitingTargets: 0,
      oldestWaitingAt: null,
      unknownCalls: 0,
    });
  });

  it('that an operator paused sends nothing until it is resumed, and both are on record', async () => {
    expect(await operator.post(`${LANE}/pause`)).toMatchObject({
      status: 200,
      body: { blockedBy: 'operator', nextCallAt: null },
    });
    await operator.post(`${LANE}/pause`);
    const before = retryCalls(rig.simulator).length;
    const id = await submitOne();
    await waitsFor(id, 'pause');
    await shows({ blockedBy: 'operator', waitingTargets: 1, oldestWaitingAt: (await team.request(id)).createdAt });
    await rig.advance(HOUR);
    await waitsFor(id, 'pause');
    expect(retryCalls(rig.simulator)).toHaveLength(before);

    expect(await operator.post(`${LANE}/resume`)).toMatchObject({ status: 200, body: { blockedBy: null } });
    await team.untilAllAccepted(id);
    expect(await rig.query("SELECT kind, actor, lane_id FROM event WHERE kind LIKE 'lane.%' ORDER BY id")).toEqual([
      { kind: 'lane.paused', actor: 'operator', lane_id: 'main.retryTask' },
      { kind: 'lane.resumed', actor: 'operator', lane_id: 'main.retryTask' },
    ]);
  });

  it('takes another limit, shares and a pause from an operator, and says what is wrong with them', async () => {
    const change = (body: object) => operator.send('PATCH', LANE, body);
    expect(await change({ limit: 3, weights: { 'team-a': 2 } })).toMatchObject({
      status: 200,
      body: { limit: 3, configuredLimit: 3 },
    });
    expect(await change({ limit: null, paused: true })).toMatchObject({
      status: 200,
      body: { limit: 1, blockedBy: 'operator' },
    });
    expect(await change({ paused: false })).toMatchObject({ status: 200, body: { blockedBy: null } });
    for (const wrong of [{}, { limit: 0 }, { limit: 1.5 }, { paused: 1 }, { weights: {} }, { weights: { a: 0 } }]) {
      expect([wrong, await change(wrong)]).toMatchObject([wrong, { status: 400, body: { code: 'malformed' } }]);
    }
    expect(await team.send('PATCH', LANE, { limit: 3 })).toMatchObject({ status: 403 });
  });

  it('sends nothing for a project that an operator paused', async () => {
    const pause = (paused: boolean) => operator.send('PUT', '/v1/projects/project-1/pause', { paused });
    expect(await pause(true)).toMatchObject({ status: 200, body: { id: 'project-1', paused: true } });
    const id = await submitOne();
    await rig.advance(HOUR);
    await waitsFor(id, 'pause');
    expect(await pause(false)).toMatchObject({ status: 200, body: { paused: false } });
    await team.untilAllAccepted(id);
    await rig.advance(HOUR);
  });

  it('is paused and resumed by operators only', async () => {
    const missing = { status: 403, body: { code: 'missing_scope' } };
    expect(await team.post(`${LANE}/pause`)).toMatchObject(missing);
    expect(await team.post(`${LANE}/resume`)).toMatchObject(missing);
  });

  it('whose window is used up waits for a slot', async () => {
    await team.untilAllAccepted(await submitOne());
    const id = await submitOne();
    await waitsFor(id, 'slot');
    await shows({ blockedBy: 'slots', slotsInUse: 1, nextCallAt: expect.any(String) as never, waitingTargets: 1 });
    await rig.advance(MINUTE);
    await team.untilAllAccepted(id);
  });

  it('lets a target wait after gateway trouble, at no attempt, and opens after some of it', async () => {
    fail('APIGW.0605', 2);
    const first = await submitOne();
    await waitsFor(first, 'backoff');
    expect((await team.targets(first))[0]).toMatchObject({ attempts: 0, dueAt: expect.any(String) });
    await shows({ breaker: 'closed', lastError: expect.objectContaining({ code: 'APIGW.0605' }) as never });

    await rig.advance(MINUTE);
    const second = await submitOne();
    await waitsFor(second, 'backoff');
    await shows({ breaker: 'open', blockedBy: 'breaker' });
    const third = await submitOne();
    await waitsFor(third, 'breaker');

    await rig.advance(30 * MINUTE);
    await team.untilAllAccepted(third);
    await shows({ breaker: 'closed' });
  });

  it('is paused by a 429, for as long as it says', async () => {
    const windowMs = 10 * MINUTE;
    rig.simulator.controls.addFaults({ operation: 'RetryTask', effect: { kind: 'throttle', limit: 1, windowMs } });
    const id = await submitOne();
    await waitsFor(id, 'pause');
    await shows({ blockedBy: 'pause', pausedUntil: expect.any(String) as never });
    await rig.advance(windowMs);
    await rig.advance(windowMs * 0.1);
    await team.untilAllAccepted(id);
    expect((await team.targets(id))[0]).toMatchObject({ attempts: 0 });
  });

  it('whose credential was refused twice rests for five minutes', async () => {
    fail('APIGW.0301', 2, 401);
    const id = await submitOne();
    await shows({ lastError: expect.objectContaining({ code: 'APIGW.0301' }) as never });
    await waitsFor(id, 'slot');
    await rig.advance(MINUTE);
    await waitsFor(id, 'credential');
    await shows({ blockedBy: 'credential' });
    await rig.advance(5 * MINUTE);
    await team.untilAllAccepted(id);
  });
});
