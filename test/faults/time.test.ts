import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { runSafely, type RunContext } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';
import { TERMS, type FaultWorld } from './support/world.js';

const TEN_MINUTES_MS = 600_000;
const PAUSE_MS = TERMS.leaseMs + 700;

describe('time', () => {
  const world = aWorld();

  it.each([
    ['before the row is committed', 'start.written', 0],
    ['between the commit and the check in the hook', 'send.before', 1],
    ['after the first byte', 'sent', 2],
    ['between the answer and its record', 'send.answered', 3],
  ] as const)('an event loop is blocked for longer than the lease %s', async (_title, point, index) => {
    await runSafely(await world(), {
      name: `blocked at ${point}`,
      seed: SEED * 1_000 + 300 + index,
      during: (context) => holdUp(context, point, `block:${PAUSE_MS}`, () => Promise.resolve()),
    });
  });

  it.each([
    ['send.before', 0],
    ['sent', 1],
    ['send.answered', 2],
    ['settle.applied', 3],
    ['lookup.committed', 4],
  ] as const)('a worker is stopped for longer than the lease at %s', async (point, index) => {
    await runSafely(await world(), {
      name: `stopped at ${point}`,
      seed: SEED * 1_000 + 310 + index,
      during: (context) =>
        holdUp(context, point, 'stop', async () => {
          await sleep(PAUSE_MS);
          context.world.workers[0].signal('SIGCONT');
        }),
    });
  });

  it.each([
    ['ahead', { FAULT_CLOCK_MS: String(TEN_MINUTES_MS) }, 0],
    ['behind', { FAULT_CLOCK_MS: String(-TEN_MINUTES_MS) }, 1],
    ['stepping', { FAULT_CLOCK_MS: String(TEN_MINUTES_MS), FAULT_CLOCK_STEPS: '1' }, 2],
  ] as const)('the clock of a worker is 10 minutes %s', async (name, env, index) => {
    await runSafely(await world(), {
      name: `host clock ${name}`,
      seed: SEED * 1_000 + 320 + index,
      during: async ({ world: here }) => {
        const [worker] = here.workers;
        await worker.kill();
        await worker.start({ names: ['host-clock'], env });
        await sleep(5_000);
      },
    });
  });
});

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

/** One worker at one moment, several times. */
async function holdUp(
  { world, random }: RunContext,
  point: string,
  action: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const [worker] = world.workers;
  for (let times = 0; times < 2; times += 1) {
    const log = join(world.folder, `held-${Date.now()}`);
    await worker.kill();
    const env = { FAULT_AT: `${point}:${random.whole(1, 3)}:${action}`, FAULT_LOG: log };
    await worker.start({ names: ['at-point'], env, ready: false });
    await reached(world, log);
    await meanwhile();
    await sleep(PAUSE_MS);
  }
}

async function reached({ workers }: FaultWorld, log: string): Promise<void> {
  // Its file is there a moment before its line is.
  const reachedIt = async (): Promise<boolean> => (await readFile(log, 'utf8')).includes(`${workers[0].lastPid} `);
  expect(await eventually(reachedIt, { limitMs: 30_000 })).toBe(true);
}
