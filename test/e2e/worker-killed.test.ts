import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventually, eventuallyHolds } from '../support/eventually.js';
import { QUEUE_BACKENDS, retryOf, ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';
import { retryCalls, timesSent } from '../support/upstream-record.js';

const MINUTE = 60_000;

describe.each(QUEUE_BACKENDS)('a worker that is killed in mid-call, with the queue on %s', (queue) => {
  let rig: ServiceRig;
  let team: ApiClient;
  let doomed: ServiceProcess;

  beforeAll(async () => {
    rig = await ServiceRig.open({ queue, credentials: [{ timeoutMs: 20_000 }] });
    const [api, worker] = await Promise.all([rig.start({ ROLE: 'api' }), rig.start({ ROLE: 'worker' })]);
    doomed = worker;
    team = await rig.client({ of: api });
    // Before its first answer a credential has one call out at a time.
    await team.untilAllAccepted((await team.submit(retryOf(rig.task(1)))).id);
    rig.simulator.controls.clearLedger();
  });

  afterAll(() => rig.close());

  it('leaves a call that is unknown when its lease is over, and that nobody sends again', async () => {
    const held = rig.task(3);
    rig.simulator.controls.addFaults({ taskId: held.taskId, effect: { kind: 'no_answer', work: 'all' } });
    const { id } = await team.submit(retryOf(held));
    await eventually(() => retryCalls(rig.simulator).length === 1);
    expect(await doomed.kill()).toEqual({ code: null, signal: 'SIGKILL' });

    // Another worker takes over: the rest goes on, and this call keeps its lease.
    await rig.start({ ROLE: 'worker' });
    const other = await team.submit(retryOf(rig.task(3)));
    await team.untilAllAccepted(other.id, { limitMs: 15_000 });
    expect((await team.request(id)).counts).toMatchObject({ total: 3, sending: 3 });

    await rig.advance(MINUTE);
    await team.until(id, ({ counts }) => counts.unknown === 3);
    expect(await team.calls(id)).toEqual([
      expect.objectContaining({
        state: 'unknown',
        httpStatus: null,
        decision: expect.objectContaining({ cause: 'lease_expired', targets: { kind: 'stay' } }),
      }),
    ]);

    const late = await team.submit(retryOf(held));
    await eventuallyHolds(async () => {
      expect((await team.targets(late.id))[0]).toMatchObject({ waitingFor: 'live_cluster' });
    });
    const sent = timesSent(retryCalls(rig.simulator));
    expect([sent.size, new Set(sent.values())]).toEqual([6, new Set([1])]);
  });
});
