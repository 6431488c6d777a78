import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLANTED, type PlantedBug, type Provocation } from './planted/bugs.js';
import type { Hooks } from './support/member.js';
import { BAD_WEATHER, run, type RunContext } from './support/run.js';
import { SEED } from './support/suite.js';
import { FaultWorld, TERMS } from './support/world.js';

const CASES = Object.entries(PLANTED).map(([name, bug], index) => [name, index, bug] as const);

/** A suite that finds nothing shows nothing: what it finds of these is what it is worth. */
describe('a planted bug is caught', () => {
  it.each(CASES)('%s', async (name, index, bug) => {
    // Whatever it breaks stays broken: each has a world of its own.
    const world = await FaultWorld.open();
    try {
      const broken = await namesOfBroken(world, name, SEED * 1_000 + 500 + index, bug);
      expect(broken.filter((one) => bug.caughtBy.includes(one))).not.toEqual([]);
    } finally {
      await world.close();
    }
  });
});

async function namesOfBroken(world: FaultWorld, name: string, seed: number, bug: PlantedBug): Promise<string[]> {
  const { broken } = await run(world, {
    name: `planted: ${name}`,
    seed,
    weather: [...(bug.weather ?? []), ...BAD_WEATHER],
    ...(bug.sizes && { sizes: bug.sizes }),
    drainMs: 12_000,
    mayNotDrain: true,
    during: (context) => provoke(context, name, bug.provocation ?? 'none'),
  });
  return Object.keys(broken);
}

async function provoke({ world }: RunContext, name: string, provocation: Provocation): Promise<void> {
  const planted: Hooks = { names: ['planted'], env: { FAULT_PLANTED: name } };
  const [victim] = world.workers;
  const with1 = (hook: string, env: Record<string, string>): Hooks => ({
    names: ['planted', hook],
    env: { FAULT_PLANTED: name, FAULT_LOG: join(world.folder, 'reached'), ...env },
    ready: false,
  });
  await Promise.all(world.members.map((member) => member.kill()));
  await Promise.all(world.members.map((member) => member.start(planted)));
  const again = async (hooks: Hooks): Promise<void> => {
    await victim.kill();
    await victim.start(hooks);
  };
  switch (provocation) {
    case 'none':
      await sleep(5_000);
      return;
    case 'kill the api':
      for (let times = 0; times < 4; times += 1) {
        await sleep(1_500);
        await world.api.kill();
        await world.api.start(planted);
      }
      return;
    case 'clock behind':
      await again(with1('host-clock', { FAULT_CLOCK_MS: '-600000' }));
      await sleep(6_000);
      return;
    case 'block before sending':
      for (const pass of [1, 2]) {
        await again(with1('at-point', { FAULT_AT: `send.before:${pass}:block:${TERMS.leaseMs + 500}` }));
        await sleep(6_000);
      }
      return;
    case 'stop after sending':
      for (const pass of [1, 2, 1]) {
        await again(with1('at-point', { FAULT_AT: `sent:${pass}:stop` }));
        await sleep(7_000);
        victim.signal('SIGCONT');
        await sleep(500);
      }
  }
}
