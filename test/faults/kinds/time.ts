import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import type { Fault, RunContext } from '../support/run.js';
import { TERMS, type FaultWorld } from '../support/world.js';

export const TEN_MINUTES_MS = 600_000;
const PAUSE_MS = TERMS.leaseMs + 700;

const blocked = (what: string, point: string): Fault => ({
  name: `event loop blocked for longer than the lease ${what}`,
  during: (context) => holdUp(context, point, `block:${PAUSE_MS}`, () => Promise.resolve()),
});

const stopped = (point: string): Fault => ({
  name: `worker stopped for longer than the lease at ${point}`,
  during: (context) =>
    holdUp(context, point, 'stop', async () => {
      await sleep(PAUSE_MS);
      context.world.workers[0].signal('SIGCONT');
    }),
});

const hostClock = (name: string, env: Record<string, string>): Fault => ({
  name: `clock of a worker 10 minutes ${name}`,
  during: async ({ world }) => {
    const [worker] = world.workers;
    await worker.kill();
    await worker.start({ names: ['host-clock'], env });
    await sleep(5_000);
  },
});

export const TIME_FAULTS: readonly Fault[] = [
  blocked('before the row is committed', 'start.written'),
  blocked('between the commit and the check in the hook', 'send.before'),
  blocked('after the first byte', 'sent'),
  blocked('between the answer and its record', 'send.answered'),
  ...['send.before', 'sent', 'send.answered', 'settle.applied', 'list.committed'].map(stopped),
  hostClock('ahead', { FAULT_CLOCK_MS: String(TEN_MINUTES_MS) }),
  hostClock('behind', { FAULT_CLOCK_MS: String(-TEN_MINUTES_MS) }),
  hostClock('stepping', { FAULT_CLOCK_MS: String(TEN_MINUTES_MS), FAULT_CLOCK_STEPS: '1' }),
];

/** One worker at one moment. */
async function holdUp(
  { world, random }: RunContext,
  point: string,
  action: string,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const [worker] = world.workers;
  const log = join(world.folder, `held-${Date.now()}`);
  await worker.kill();
  const env = { FAULT_AT: `${point}:${random.whole(1, 3)}:${action}`, FAULT_LOG: log };
  await worker.start({ names: ['at-point'], env, ready: false });
  await reached(world, log);
  await meanwhile();
  await sleep(PAUSE_MS);
}

async function reached({ workers }: FaultWorld, log: string): Promise<void> {
  // Its file is there a moment before its line is.
  const reachedIt = async (): Promise<boolean> => (await readFile(log, 'utf8')).includes(`${workers[0].lastPid} `);
  // Two workers share the lookups, and those are rare.
  await eventually(reachedIt, { limitMs: 75_000 });
}
