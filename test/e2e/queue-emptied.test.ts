import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryOf, ServiceRig } from '../support/service-rig.js';
import { clustersIn, retryCalls } from '../support/upstream-record.js';

describe('a queue that is emptied', () => {
  let rig: ServiceRig;
  let team: ApiClient;
  let redis: Redis;

  beforeAll(async () => {
    rig = await ServiceRig.open({
      queue: 'redis',
      credentials: [{ limits: { retryTask: { calls: 3, windowMs: 1_000 } } }],
    });
    await rig.start();
    team = await rig.client();
    redis = new Redis(rig.redis!.url);
  });

  afterAll(async () => {
    redis.disconnect();
    await rig.close();
  });

  it('while work waits, again and again and in mid-call, loses nothing', async () => {
    const tasks = Array.from({ length: 12 }, () => rig.task(2));
    rig.simulator.controls.addFaults({ times: null, effect: { kind: 'latency', ms: 100 } });
    const requests = await Promise.all(tasks.map((task) => team.submit(retryOf(task))));
    let flushed = 0;
    await eventuallyHolds(
      async () => {
        await redis.flushall();
        flushed += 1;
        const counts = await Promise.all(requests.map(async ({ id }) => (await team.request(id)).counts));
        expect(counts.filter(({ accepted, total }) => accepted < total)).toEqual([]);
      },
      { limitMs: 25_000, everyMs: 250 },
    );
    expect(flushed).toBeGreaterThan(1);
    expect(retryCalls(rig.simulator).flatMap(clustersIn).sort()).toEqual(
      tasks.flatMap(({ clusterIds }) => clusterIds).sort(),
    );
  });
});
