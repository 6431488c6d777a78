import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CRASH_POINTS, type CrashPoint } from '../../../src/platform/crash-points.js';
import { eventually } from '../../support/eventually.js';
import { BAD_WEATHER, type Fault, type RunContext } from '../support/run.js';

/** The other worker passes it as well, and on a busy machine a start takes many seconds. */
const REACHED_WITHIN_MS = 120_000;

/** One after the other under one load: what is left of a death is there when the next one comes. */
export const KILL_POINTS: readonly Fault[] = [...new Set(CRASH_POINTS.map(groupOf))].map((group) => ({
  name: `killed at ${group}.*`,
  // Answers that take their time leave calls in the hands of the dead.
  weather: [...BAD_WEATHER, { operation: 'RetryTask', times: null, effect: { kind: 'latency', ms: 60 } }],
  everyMs: 250,
  // Each of its points is to be passed some ten times, by one of two workers.
  ...(group === 'schedule' ? { schedules: 60 } : {}),
  during: async (context) => {
    for (const point of CRASH_POINTS.filter((one) => groupOf(one) === group)) await dieAt(point, context);
  },
}));

function groupOf(point: CrashPoint): string {
  return point.startsWith('sweep.lease') ? 'sweep.lease' : (point.split('.')[0] ?? point);
}

/** One process after the other, each dying at its own pass of the point, while the load goes on. */
async function dieAt(point: CrashPoint, context: RunContext): Promise<void> {
  const { world: here, random } = context;
  const victim = /^(submit|cancel)/.test(point) ? here.api : here.workers[0];
  const log = join(here.folder, `deaths-${point}-${Date.now()}`);
  // A point of a stop is passed once in a process's life.
  const passes = point.startsWith('stop') ? [1, 1, 1, 1] : [1, 3, random.whole(2, 4), random.whole(2, 6)];
  const recoveries: Promise<void>[] = [];
  // Lookups are rare: two workers that share them would take minutes to pass a point five times.
  const [, other] = here.workers;
  const isAlone = point.startsWith('lookup');
  if (isAlone) await other.kill();
  for (const pass of passes) {
    await victim.kill();
    const env = { FAULT_AT: `${point}:${pass}:kill`, FAULT_LOG: log };
    await victim.start({ names: ['at-point'], env, ready: false });
    const over = new AbortController();
    const helping = help(point, context, over.signal);
    const died = await victim.died(REACHED_WITHIN_MS);
    over.abort();
    await helping;
    if (!died) throw new Error(`${point} was not passed ${pass} times within ${REACHED_WITHIN_MS} ms`);
    if (!isAlone) recoveries.push(foundOut(context, victim.lastPid));
  }
  if (isAlone) await other.start();
  await Promise.all(recoveries);
  const deaths = (await readFile(log, 'utf8')).trim().split('\n').length;
  if (deaths !== passes.length) throw new Error(`${deaths} deaths at ${point} instead of ${passes.length}`);
}

/** Some points are passed only when something happens that a load alone does not bring. */
async function help(point: CrashPoint, { world: here }: RunContext, over: AbortSignal): Promise<void> {
  const [victim, other] = here.workers;
  if (point.startsWith('stop')) {
    await eventually(
      () =>
        fetch(`${victim.url}/health/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      {
        limitMs: REACHED_WITHIN_MS,
      },
    );
    await victim.stop();
  }
  // Lists that tell nothing leave the verdicts to their time-out.
  if (point === 'sweep.verdict_ended') {
    const rules = here.simulator.controls.addFaults({
      operation: 'ListTaskResources',
      times: null,
      effect: { kind: 'error', status: 503, shape: 'html' },
    });
    await new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }));
    for (const { id } of rules) here.simulator.controls.clearFaults(id);
  }
  // The other worker dies with calls in its hands, and this one finds them.
  while (point.startsWith('sweep.lease') && !over.aborted) {
    if (!other.alive) await other.start();
    await eventually(async () => over.aborted || (await heldBy(here, other.lastPid)) > 0, {
      limitMs: REACHED_WITHIN_MS,
    });
    await other.kill();
  }
}

/** From a death until no call of the dead is `sending` any more: lease and sweep. */
async function foundOut({ world: here, recoveryMs }: RunContext, pid: number): Promise<void> {
  const from = performance.now();
  await eventually(async () => (await heldBy(here, pid)) === 0, { limitMs: 30_000, everyMs: 50 });
  const name = 'death to found out, at most';
  recoveryMs[name] = Math.max(recoveryMs[name] ?? 0, performance.now() - from);
}

async function heldBy({ postgres }: RunContext['world'], pid: number): Promise<number> {
  const [row] = await postgres.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM call WHERE state = 'sending' AND worker LIKE $1`,
    [`%-${pid}`],
  );
  return row?.n ?? 0;
}
