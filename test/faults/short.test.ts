import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nextCallMs } from './support/recovery.js';
import { aWorld, runSafely, SEED } from './support/suite.js';

const world = aWorld();

/** The short form of `npm run test:faults`, for every `npm test`: some of each kind, in one run. */
describe('under fire', () => {
  it('nothing is lost, unrecorded or repeated blindly', async () => {
    const figures = await runSafely(await world(), {
      name: 'short form',
      seed: SEED,
      everyMs: 250,
      during: async ({ world: { api, workers, redis, postgres, folder }, recoveryMs }) => {
        const dyingAt = (point: string) => ({
          names: ['at-point'],
          env: { FAULT_AT: `${point}:1:kill`, FAULT_LOG: join(folder, 'deaths') },
          ready: false,
        });
        const [worker] = workers;
        // One after the other: without an api there is soon nothing to send.
        await api.kill();
        await api.start(dyingAt('submit.stored'));
        expect(await api.died(40_000)).toBe(true);
        await api.start();
        await worker.kill();
        await worker.start(dyingAt('send.answered'));
        expect(await worker.died(40_000)).toBe(true);
        await worker.start();
        await redis.flush();
        recoveryMs['FLUSHALL to next call'] = await nextCallMs(world);
        await postgres.crash();
        recoveryMs['Postgres back to next call'] = await nextCallMs(world);
        await sleep(500);
      },
    });
    expect(figures).toMatchObject({ lost: 0, unrecorded: 0, repeatedBlindly: 0 });
    expect(figures.accepted).toBeGreaterThan(0);
  }, 200_000);
});
