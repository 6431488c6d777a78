import { describe, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEN_MINUTES_MS, TIME_FAULTS } from './kinds/time.js';
import { aWorld, runSafely, SEED, survives } from './support/suite.js';

describe('time', () => survives(TIME_FAULTS, aWorld(), 300));

describe.each([
  ['ahead', TEN_MINUTES_MS, 0],
  ['behind', -TEN_MINUTES_MS, 1],
] as const)("the upstream's clock is 10 minutes %s", (name, clockSkewMs, index) => {
  const world = aWorld({ clockSkewMs });

  it('and all is as it should be', async () => {
    await runSafely(await world(), {
      name: `upstream clock ${name}`,
      seed: SEED * 1_000 + 330 + index,
      during: () => sleep(6_000),
    });
  });
});
