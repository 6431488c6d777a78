import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventually } from '../support/eventually.js';
import { retryAllOf, retryOf, ServiceRig } from '../support/service-rig.js';

const LANE = '/v1/lanes/main.retryTask';

let rig: ServiceRig;
let operator: ApiClient;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({ credentials: [{ limits: { retryTask: { calls: 2, windowMs: 60_000 } } }] });
  await rig.start();
  operator = await rig.operator();
  team = await rig.client({ caller: 'team' });
});
afterAll(() => rig.close());

const secondsFromNow = async (moment: string | null): Promise<number> => {
  const [row] = await rig.query<{ s: number }>(
    `SELECT extract(epoch FROM '${moment ?? 'infinity'}'::timestamptz - rescan_now())::float8 AS s`,
  );
  return row?.s ?? Number.NaN;
};

describe('an estimate', () => {
  it('comes with the 202, the same for the same key, and with the request as long as it waits', async () => {
    await operator.post(`${LANE}/pause`);
    // One more has failed than is wanted: it takes a call for 200.
    const task = rig.task(451);
    const body = retryOf(task, task.clusterIds.slice(1));
    const first = await team.submit(body, 'estimated');
    expect(first.estimate).toEqual({ calls: 3, position: 0, acceptedAt: null });
    expect((await team.submit(body, 'estimated')).estimate).toEqual(first.estimate);

    await operator.post(`${LANE}/resume`);
    // One look at the queue serves all who ask within a second.
    await eventually(async () => {
      const { estimate } = await team.request(first.id);
      return (await secondsFromNow(estimate?.acceptedAt ?? null)) < 70;
    });
    await team.until(first.id, ({ counts }) => counts.accepted === 400);
    await rig.advance(120_000);
    const done = await team.untilAllAccepted(first.id);
    expect(done).toMatchObject({ estimate: null, acceptedAt: expect.any(String) });
    await rig.advance(120_000);
  });

  it('of a dry run stores nothing and needs no key', async () => {
    const before = await rig.query('SELECT count(*)::int AS n FROM request');
    const dry = (body: object) => team.post('/v1/requests?dryRun=true', body);
    expect(await dry(retryOf(rig.task(201)))).toMatchObject({ status: 200, body: { estimate: { calls: 2 } } });
    expect(await dry(retryAllOf(rig.task(7)))).toMatchObject({ status: 200, body: { estimate: { calls: 1 } } });
    expect(await dry({ ...retryOf(rig.task(1)), deadline: '2020-01-01T00:00:00Z' })).toMatchObject({
      status: 400,
      body: { code: 'deadline_in_past' },
    });
    expect(await dry({})).toMatchObject({ status: 400, body: { code: 'malformed' } });
    expect(
      await team.post('/v1/requests?dryRun=maybe', retryOf(rig.task(1)), { 'idempotency-key': 'k' }),
    ).toMatchObject({
      status: 400,
    });
    expect(await rig.query('SELECT count(*)::int AS n FROM request')).toEqual(before);
  });

  it('has an error that an operator can watch', async () => {
    await team.untilAllAccepted((await team.submit(retryOf(rig.task(1)))).id);
    const { body } = await operator.get('/metrics');
    expect(body).toMatch(/rescan_estimate_error_seconds\{quantile="0.5"\} -?\d/);
  });
});
