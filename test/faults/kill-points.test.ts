import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CRASH_POINTS, type CrashPoint } from '../../src/platform/crash-points.js';
import { eventually } from '../support/eventually.js';
import type { Member } from './support/member.js';
import { runSafely, type RunContext } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';

const REACHED_WITHIN_MS = 20_000;
const world = aWorld();

describe.each(CRASH_POINTS.map((point, index) => [point, index] as const))('%s', (point, index) => {
  it('is safe to die at, at its first, third and two random passes', async () => {
    const deaths = await runSafely(await world(), {
      name: point,
      seed: SEED * 1_000 + index,
      during: (context) => dieAt(point, context),
    });
    expect(deaths.lost).toBe(0);
  });
});

/** One process after the other, each dying at its own pass of the point, while the load goes on. */
async function dieAt(point: CrashPoint, context: RunContext): Promise<void> {
  const { world: here, random } = context;
  const victim = /^(submit|cancel)/.test(point) ? here.api : here.workers[0];
  const log = join(here.folder, `deaths-${point}-${Date.now()}`);
  // A point of a stop is passed once in a process's life.
  const passes = point.startsWith('stop') ? [1, 1, 1, 1] : [1, 3, random.whole(2, 4), random.whole(2, 6)];
  const times: number[] = [];
  for (const pass of passes) {
    await victim.kill();
    await victim.start({
      names: ['at-point'],
      env: { FAULT_AT: `${point}:${pass}:kill`, FAULT_LOG: log },
      ready: false,
    });
    const done = new AbortController();
    const helping = help(point, context, done.signal);
    const died = await victim.died(REACHED_WITHIN_MS);
    done.abort();
    await helping;
    if (!died) throw new Error(`${point} was not passed ${pass} times within ${REACHED_WITHIN_MS} ms`);
    if (/^(start|send|settle)/.test(point)) times.push(await foundOut(context, victim));
  }
  const deaths = (await readFile(log, 'utf8')).trim().split('\n');
  expect(deaths).toHaveLength(passes.length);
  if (times.length > 0) context.recoveryMs['killed to found out, at most'] = Math.max(...times);
}

/** Some points are passed only when something happens that a load alone does not bring. */
async function help(point: CrashPoint, { world: here }: RunContext, over: AbortSignal): Promise<void> {
  if (point.startsWith('stop')) {
    // Not before it has something to stop.
    await eventually(
      () =>
        fetch(`${here.workers[0].url}/health/ready`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      {
        limitMs: REACHED_WITHIN_MS,
      },
    );
    await here.workers[0].stop();
    return;
  }
  if (!point.startsWith('sweep.lease')) return;
  // The other worker dies with calls in its hands.
  while (!over.aborted) {
    const other: Member = here.workers[1];
    await other.kill();
    await other.start({
      names: ['at-point'],
      env: { FAULT_AT: 'send.answered:1:kill', FAULT_LOG: join(here.folder, 'others') },
      ready: false,
    });
    await other.died(5_000);
  }
}

/** From a death until no call of the dead is `sending` any more. */
async function foundOut({ world: here }: RunContext, victim: Member): Promise<number> {
  const from = performance.now();
  await eventually(
    async () => {
      const held = await here.postgres.query(`SELECT id FROM call WHERE state = 'sending' AND worker LIKE $1`, [
        `%-${victim.lastPid}`,
      ]);
      return held.length === 0;
    },
    { limitMs: 10_000 },
  );
  return performance.now() - from;
}
