import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventually } from '../support/eventually.js';
import { QUEUE_BACKENDS, retryOf, ServiceRig } from '../support/service-rig.js';
import type { Env, Exit, ServiceProcess } from '../support/service-process.js';
import { retryCalls, timesSent } from '../support/upstream-record.js';

const LIMIT_OF_A_STOP_MS = 10_000;

/** How it ended, if it did so in time. */
async function stop(service: ServiceProcess): Promise<Exit> {
  let exit: Exit | null = null;
  void service.stop().then((ended) => (exit = ended));
  return eventually(() => exit, { limitMs: LIMIT_OF_A_STOP_MS });
}

describe.each(QUEUE_BACKENDS)('a service that is stopped, with the queue on %s,', (queue) => {
  let rig: ServiceRig;
  let service: ServiceProcess;
  let team: ApiClient;

  beforeAll(async () => {
    const limits = { retryTask: { calls: 2, windowMs: 1_000 } };
    rig = await ServiceRig.open({ queue, credentials: [{ timeoutMs: 30_000, limits }] });
    await startAgain();
    // Before its first answer a credential has one call out at a time.
    await team.untilAllAccepted((await team.submit(retryOf(rig.task(1)))).id);
  });

  beforeEach(() => rig.simulator.controls.clearLedger());

  afterAll(() => rig.close());

  async function startAgain(env: Env = {}): Promise<void> {
    service = await rig.start(env);
    team = await rig.client({ of: service });
  }

  const callStates = async (ids: readonly string[]) =>
    (
      await rig.query<{ state: string }>(
        'SELECT state FROM call WHERE EXISTS (SELECT 1 FROM call_request WHERE call_id = call.id AND request_id = ANY($1)) ORDER BY id',
        [ids],
      )
    ).map(({ state }) => state);

  it('ends the calls that are out, and goes on with the rest at its next start', async () => {
    // One more has failed than is wanted: each needs a call for 200.
    const tasks = [1, 2, 3].map((n) => rig.task(200 * n + 1));
    const latency = { kind: 'latency', ms: 800 } as const;
    rig.simulator.controls.addFaults({ id: 'slow', times: null, effect: latency });
    const requests = await Promise.all(tasks.map((task) => team.submit(retryOf(task, task.clusterIds.slice(1)))));
    await eventually(() => retryCalls(rig.simulator).length > 0);

    expect(await stop(service)).toEqual({ code: 0, signal: null });
    const states = await callStates(requests.map(({ id }) => id));
    expect(states).not.toContain('sending');
    expect(states).not.toContain('unknown');
    const [left] = await rig.query<{ waiting: number }>('SELECT sum(waiting)::int AS waiting FROM request');
    expect(left?.waiting).toBeGreaterThan(0);

    rig.simulator.controls.clearFaults('slow');
    await startAgain({ SHUTDOWN_GRACE: '1s' });
    for (const { id } of requests) await team.untilAllAccepted(id, { limitMs: 15_000 });
    const sent = timesSent(retryCalls(rig.simulator));
    expect([sent.size, new Set(sent.values())]).toEqual([1_200, new Set([1])]);
  });

  it('does not wait for an upstream that hangs: what is out then is unknown, on record, and not sent again', async () => {
    const task = rig.task(3);
    rig.simulator.controls.addFaults({ taskId: task.taskId, effect: { kind: 'no_answer', work: 'all' } });
    const { id } = await team.submit(retryOf(task));
    await eventually(() => retryCalls(rig.simulator).length === 1);

    expect(await stop(service)).toEqual({ code: 0, signal: null });
    expect(await callStates([id])).toEqual(['unknown']);

    await startAgain();
    expect((await team.request(id)).counts).toMatchObject({ total: 3, unknown: 3 });
    await team.untilAllAccepted((await team.submit(retryOf(rig.task(1)))).id);
    expect(retryCalls(rig.simulator).filter(({ taskId }) => taskId === task.taskId)).toHaveLength(1);
  });
});

describe('a service with the settings of production', () => {
  let rig: ServiceRig;

  beforeAll(async () => {
    rig = await ServiceRig.open({ credentials: [{ timeoutMs: 30_000 }] });
  });

  afterAll(() => rig.close());

  it('stops within ten seconds, whatever the upstream does', async () => {
    const service = await rig.start();
    const team = await rig.client();
    rig.simulator.controls.addFaults({ times: null, effect: { kind: 'no_answer', work: 'all' } });
    const { id } = await team.submit(retryOf(rig.task(1)));
    await team.until(id, ({ counts }) => counts.sending === 1);
    await eventually(() => retryCalls(rig.simulator).some(({ reply }) => reply?.kind === 'no_answer'));
    expect(await stop(service)).toEqual({ code: 0, signal: null });
    expect(await rig.query('SELECT state FROM call')).toEqual([{ state: 'unknown' }]);
  });
});
