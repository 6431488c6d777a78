import { describe, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Link, LinkFault } from './support/link.js';
import { nextCallMs } from './support/recovery.js';
import { runSafely } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';
import type { FaultWorld } from './support/world.js';

const LINKS = {
  'to the upstream': (world: FaultWorld) => [world.toUpstream],
  'of a worker to Postgres': (world: FaultWorld) => [world.workers[0].toPostgres],
  'of a worker to Redis': (world: FaultWorld) => [world.workers[0].toRedis],
  'of the api to Postgres': (world: FaultWorld) => [world.api.toPostgres],
  'of the api to Redis': (world: FaultWorld) => [world.api.toRedis],
} satisfies Record<string, (world: FaultWorld) => Link[]>;

const FAULTS: Readonly<Record<string, LinkFault>> = {
  delayed: { delayMs: 120 },
  'black-holed': { swallow: 'both' },
  'half-open, nothing comes back': { swallow: 'down' },
  'half-open, nothing gets there': { swallow: 'up' },
  cut: { cutAfterBytes: 40 },
  refused: { refuse: true },
};

const CASES = Object.entries(LINKS).map(([name, links], index) => [name, index, links] as const);
const world = aWorld();

/** One fault after the other on one link, with a moment of peace between them. */
describe('the network', () => {
  it.each(CASES)('link %s: delayed, swallowed, cut and refused', async (name, index, links) => {
    await runSafely(await world(), {
      name: `link ${name}`,
      seed: SEED * 1_000 + 400 + index,
      during: async ({ world: here, recoveryMs }) => {
        for (const fault of Object.values(FAULTS)) {
          for (const link of links(here)) link.fault = fault;
          await sleep(1_500);
          for (const link of links(here)) {
            link.heal();
            link.reset();
          }
          const healed = await nextCallMs(here);
          recoveryMs['healed to next call, at most'] = Math.max(
            recoveryMs['healed to next call, at most'] ?? 0,
            healed,
          );
        }
      },
    });
  });

  it('a worker is cut off from Postgres and Redis, and not from the upstream', async () => {
    await runSafely(await world(), {
      name: 'worker cut off from one side',
      seed: SEED * 1_000 + 410,
      during: async ({ world: { workers } }) => {
        const [worker] = workers;
        await sleep(1_500);
        worker.toPostgres.fault = { swallow: 'both', refuse: true };
        worker.toRedis.fault = { swallow: 'both', refuse: true };
        await sleep(4_000);
        worker.toPostgres.heal();
        worker.toRedis.heal();
        await sleep(2_000);
      },
    });
  });
});
