import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { QUEUE_BACKENDS, retryOf, ServiceRig } from '../support/service-rig.js';
import { clustersIn, mostWithin, retryCalls } from '../support/upstream-record.js';

const LIMIT = 5;
const WINDOW_MS = 2_000;

describe.each(QUEUE_BACKENDS)('the window of a lane, over one api and two workers, with the queue on %s', (queue) => {
  let rig: ServiceRig;
  let team: ApiClient;

  beforeAll(async () => {
    rig = await ServiceRig.open({
      queue,
      credentials: [{ limits: { retryTask: { calls: LIMIT, windowMs: WINDOW_MS } } }],
      // The upstream counts too: one call too many would be a 429.
      scenario: { limits: { user: { calls: LIMIT, windowMs: WINDOW_MS }, ip: null, api: null } },
    });
    const [api] = await Promise.all([
      rig.start({ ROLE: 'api' }),
      rig.start({ ROLE: 'worker' }),
      rig.start({ ROLE: 'worker' }),
    ]);
    team = await rig.client({ of: api });
  });

  afterAll(() => rig.close());

  it('is never exceeded, and is used up to its limit', async () => {
    const tasks = Array.from({ length: 13 }, () => rig.task(2));
    const requests = await Promise.all(tasks.map((task) => team.submit(retryOf(task))));
    await Promise.all(requests.map(({ id }) => team.untilAllAccepted(id, { limitMs: 20_000, everyMs: 100 })));

    const calls = retryCalls(rig.simulator);
    expect(calls.map(({ reply }) => reply)).toEqual(calls.map(() => expect.objectContaining({ status: 200 })));
    expect(mostWithin(calls, WINDOW_MS)).toBe(LIMIT);
    expect(calls.flatMap(clustersIn).sort()).toEqual(tasks.flatMap(({ clusterIds }) => clusterIds).sort());
  });

  it('is shared: both workers sent', async () => {
    const workers = await rig.query<{ worker: string }>('SELECT DISTINCT worker FROM call');
    expect(workers).toHaveLength(2);
  });
});
