import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { createTestFolder } from '../support/test-folder.js';
import { findRedis, startRedis, type RedisServer } from '../support/redis-server.js';
import { retryAllOf, retryOf, ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';
import { retryCalls } from '../support/upstream-record.js';

describe('an operator', () => {
  let rig: ServiceRig;
  let api: ServiceProcess;
  let worker: ServiceProcess;
  let team: ApiClient;
  let again: RedisServer | null = null;

  beforeAll(async () => {
    rig = await ServiceRig.open({ queue: 'redis' });
    [api, worker] = await Promise.all([rig.start({ ROLE: 'api' }), rig.start({ ROLE: 'worker' })]);
    team = await rig.client({ of: api });
  });

  afterAll(async () => {
    await rig.close();
    await again?.stop();
  });

  const get = async (service: ServiceProcess, path: string, key = '') => {
    const headers = { connection: 'close', ...(key && { authorization: `Bearer ${key}` }) };
    const answer = await fetch(service.url + path, { headers });
    return { status: answer.status, text: await answer.text() };
  };
  const ready = async (service: ServiceProcess) => {
    const { status, text } = await get(service, '/health/ready');
    return { httpStatus: status, ...JSON.parse(text) };
  };

  it('sees that both processes live and can work, without a key', async () => {
    const ok = { database: 'ok', migrations: 'ok', queue: 'ok' };
    expect(await get(api, '/health/live')).toEqual({ status: 200, text: '{"status":"live"}' });
    expect(await ready(api)).toEqual({ httpStatus: 200, status: 'ready', checks: ok });
    expect((await ready(worker)).checks).toEqual({ ...ok, sweep: 'ok' });
  });

  it('scrapes metrics that name no project, task or cluster', async () => {
    const task = rig.task(2);
    const unknown = { projectId: task.projectId, taskId: 'a-task-that-is-unknown', clusterIds: ['c-unknown'] };
    const requests = await Promise.all(
      [retryOf(task), retryAllOf(rig.task(1)), retryOf(unknown)].map((one) => team.submit(one)),
    );
    for (const { id } of requests)
      await team.until(id, ({ counts }) => counts.accepted + counts.rejected === counts.total);

    const [ofApi, ofWorker] = await Promise.all(
      [api, worker].map(async (of) => {
        const { key } = await rig.operator({ of });
        return (await get(of, '/metrics', key)).text;
      }),
    );
    expect(ofApi).toContain('rescan_requests_submitted_total{source="api"} 3');
    expect(ofApi).toContain('rescan_targets{state="accepted"} 3');
    expect(ofApi).toContain('rescan_targets{state="waiting"} 0');
    expect(ofApi).toContain('rescan_lane_slots_in_use{lane="main.retryTask"}');
    expect(ofApi).toContain('rescan_oldest_waiting_seconds 0');
    expect(ofApi).toContain('rescan_verdict_lag_seconds 0');
    expect(ofApi).toContain('rescan_fires_of_a_day{state="failed"} 0');
    expect(ofWorker).toContain('rescan_calls_total{lane="main.retryTask",state="accepted",error_code=""} 2');
    expect(ofWorker).toContain('rescan_calls_total{lane="main.retryTask",state="rejected",error_code="HSS.0011"} 1');
    expect(ofWorker).toContain('rescan_call_duration_seconds_count{lane="main.retryTask",state="accepted"} 2');
    for (const word of [
      task.projectId,
      task.taskId,
      ...task.clusterIds,
      unknown.taskId,
      'c-unknown',
      requests[0]!.id,
    ]) {
      expect(`${ofApi}${ofWorker}`).not.toContain(word);
    }
  });

  it('keeps others away from the metrics', async () => {
    expect((await get(api, '/metrics')).status).toBe(401);
    expect((await get(api, '/metrics', team.key)).status).toBe(403);
  });

  it('works on while Redis is away: submissions are taken, the api stays ready, and the sweep does the ringing', async () => {
    await rig.redis?.stop();
    const tasks = [rig.task(2), rig.task(2)];
    const requests = await Promise.all(tasks.map((task) => team.submit(retryOf(task))));

    const degraded = { httpStatus: 200, status: 'ready', checks: { queue: 'degraded' } };
    expect(await ready(api)).toMatchObject(degraded);
    await eventuallyHolds(async () => expect(await ready(worker)).toMatchObject(degraded));

    for (const { id } of requests) await team.untilAllAccepted(id, { limitMs: 20_000 });

    again = await startRedis(findRedis(), await createTestFolder('redis'), {
      port: Number(new URL(rig.redis!.url).port),
    });
    const sent = retryCalls(rig.simulator).filter(({ taskId }) => tasks.some((task) => task.taskId === taskId));
    expect(sent).toHaveLength(2);
    await eventuallyHolds(async () => expect((await ready(api)).checks.queue).toBe('ok'));
  });
});
