import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { PLANTED, type PlantedBug, type Provocation } from './planted/bugs.js';
import type { Env } from '../support/service-process.js';
import type { Hooks } from './support/member.js';
import { BAD_WEATHER, run, type RunContext } from './support/run.js';
import { SEED } from './support/suite.js';
import { FaultWorld, TERMS } from './support/world.js';

const CASES = Object.entries(PLANTED).map(([name, bug], index) => [name, index, bug] as const);

/** A suite that finds nothing shows nothing: what it finds of these is what it is worth. */
describe('a planted bug is caught', () => {
  it.each(CASES)('%s', async (name, index, bug) => {
    // Whatever it breaks stays broken: each has a world of its own.
    const world = await FaultWorld.open({ hooks: planted(name) });
    try {
      const broken = await namesOfBroken(world, name, SEED * 1_000 + 500 + index, bug);
      expect(broken.filter((one) => bug.caughtBy.includes(one))).not.toEqual([]);
    } finally {
      await world.close();
    }
  });
});

const planted = (name: string): Hooks => ({ names: ['planted'], env: { FAULT_PLANTED: name } });

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

const HELD_MS = TERMS.leaseMs + 700;
/** Until somebody else has found out what became of its call, on a busy machine too. */
const FOUND_OUT_MS = 3_000;
/** With one in two or three of them in trouble, enough that a bug shows. */
const SOME_CALLS = 20;

async function provoke({ world, load }: RunContext, name: string, provocation: Provocation): Promise<void> {
  switch (provocation) {
    case 'none':
      return someCalls(world);
    case 'a large request': {
      const [client] = world.clients;
      if (!client) throw new Error('there is no client');
      const whole = load.tasks.map((task) => ({ ...task, range: 'specific_cluster' }));
      await Promise.all(whole.map((body, n) => load.submit(client, body, `${name.replace(/\W+/g, '-')}-large-${n}`)));
      return someCalls(world);
    }
    case 'kill the api':
      for (let times = 0; times < 4; times += 1) {
        await sleep(1_500);
        await world.api.kill();
        await world.api.start(planted(name));
      }
      return;
    case 'die with a due time':
      return dieWithDueTime(world, name);
    case 'clock behind':
      await startVictim(world, name, 'host-clock', { FAULT_CLOCK_MS: '-600000' });
      return someCalls(world);
    case 'block before sending':
      for (const pass of [1, 2]) await holdAt(world, name, `send.before:${pass}:block:${HELD_MS}`);
      return;
    case 'stop after sending':
      for (const pass of [1, 2, 1]) {
        await holdAt(world, name, `sent:${pass}:stop`);
        await sleep(FOUND_OUT_MS);
        world.workers[0].signal('SIGCONT');
        await sleep(500);
      }
  }
}

async function someCalls({ simulator }: FaultWorld): Promise<void> {
  const calls = (): number => simulator.controls.ledger({ operation: 'RetryTask' }).length;
  const before = calls();
  await eventually(() => calls() >= before + SOME_CALLS, { limitMs: 40_000, everyMs: 100 });
}

async function startVictim(world: FaultWorld, name: string, hook: string, env: Env): Promise<void> {
  const [victim] = world.workers;
  await victim.kill();
  await victim.start({ names: ['planted', hook], env: { FAULT_PLANTED: name, ...env }, ready: false });
}

/** As soon as a schedule's next due time is committed: by the only worker, so that it comes to it. */
async function dieWithDueTime(world: FaultWorld, name: string): Promise<void> {
  const [victim, other] = world.workers;
  await other.kill();
  const log = join(world.folder, `died-${Date.now()}`);
  await startVictim(world, name, 'at-point', { FAULT_AT: 'schedule.committed:1:kill', FAULT_LOG: log });
  if (!(await victim.died(40_000))) throw new Error('no due time was taken');
}

/** Returns when it was held there for longer than the lease. */
async function holdAt(world: FaultWorld, name: string, at: string): Promise<void> {
  const log = join(world.folder, `held-${Date.now()}`);
  await startVictim(world, name, 'at-point', { FAULT_AT: at, FAULT_LOG: log });
  await eventually(async () => (await readFile(log, 'utf8')).length > 0, { limitMs: 30_000 });
  await sleep(HELD_MS + 500);
}
