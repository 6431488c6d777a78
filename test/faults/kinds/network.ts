import { setTimeout as sleep } from 'node:timers/promises';
import type { Link, LinkFault } from '../support/link.js';
import { nextCallMs } from '../support/recovery.js';
import type { Fault, RunContext } from '../support/run.js';
import type { FaultWorld } from '../support/world.js';

const LINKS: Readonly<Record<string, (world: FaultWorld) => Link>> = {
  'to the upstream': (world) => world.toUpstream,
  'of a worker to Postgres': (world) => world.workers[0].toPostgres,
  'of a worker to Redis': (world) => world.workers[0].toRedis,
  'of the api to Postgres': (world) => world.api.toPostgres,
  'of the api to Redis': (world) => world.api.toRedis,
};

/** Delayed, black-holed, half-open both ways, cut, refused. */
const FAULTS: readonly LinkFault[] = [
  { delayMs: 120 },
  { swallow: 'both' },
  { swallow: 'down' },
  { swallow: 'up' },
  { cutAfterBytes: 40 },
  { refuse: true },
];

export const NETWORK_FAULTS: readonly Fault[] = [
  ...Object.entries(LINKS).map(([name, linkOf]): Fault => ({
    name: `link ${name}`,
    during: (context) => eachFault(linkOf(context.world), context),
  })),
  {
    name: 'worker cut off from Postgres and Redis, and not from the upstream',
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
  },
];

/** One fault after the other, with a moment of peace between them. */
async function eachFault(link: Link, { world, recoveryMs }: RunContext): Promise<void> {
  for (const fault of FAULTS) {
    link.fault = fault;
    await sleep(1_500);
    link.heal();
    link.reset();
    const healed = await nextCallMs(world);
    const what = 'healed to next call, at most';
    recoveryMs[what] = Math.max(recoveryMs[what] ?? 0, healed);
  }
}
