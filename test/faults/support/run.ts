import type { FaultRule } from '../../../src/simulator/simulator.js';
import { eventually } from '../../support/eventually.js';
import { beginEvidence, loadEvidence } from './evidence.js';
import { loadNotices } from './notices.js';
import { breaches, type Breaches } from './invariants.js';
import { Load } from './load.js';
import { Random } from '../../support/random.js';
import { leaks } from './secrets.js';
import { StandingOrders } from './standing-orders.js';
import { TERMS, type FaultWorld } from './world.js';

/** Long for a machine that does other things too; a run that drains does so in a few seconds. */
const DRAIN_MS = 45_000;

export interface Figures {
  readonly name: string;
  readonly seed: number;
  readonly accepted: number;
  readonly calls: number;
  readonly lost: number;
  readonly unrecorded: number;
  readonly repeatedBlindly: number;
  readonly recovered: number;
  readonly recoveryMs: Readonly<Record<string, number>>;
  readonly drainMs: number;
}

export interface RunContext {
  readonly world: FaultWorld;
  readonly random: Random;
  readonly load: Load;
  /** Recovery times, to be printed. */
  readonly recoveryMs: Record<string, number>;
}

/** What happens while the load runs, and in what weather. */
export interface Fault {
  readonly name: string;
  readonly weather?: readonly FaultRule[];
  /** Clusters of the tasks. */
  readonly sizes?: readonly number[];
  readonly everyMs?: number;
  /** Schedules beside the load: so many fires a minute. */
  readonly schedules?: number;
  readonly during: (context: RunContext) => Promise<void>;
}

export interface RunOptions extends Fault {
  readonly seed: number;
  readonly drainMs?: number;
  /** What does not drain is judged as it stands, as a finding like others. */
  readonly mayNotDrain?: boolean;
}

export interface Judged {
  readonly figures: Figures;
  readonly broken: Breaches;
}

/** What an upstream does on a bad day: answers lost before and after the work, half the work, gateways in trouble. */
export const BAD_WEATHER: readonly FaultRule[] = (
  [
    [0.05, { kind: 'no_answer', work: 'all' }],
    [0.04, { kind: 'no_answer', work: 'none' }],
    [0.04, { kind: 'reset', work: 'all' }],
    [0.03, { kind: 'reset', work: 'half' }],
    [0.03, { kind: 'truncate', work: 'all' }],
    [0.03, { kind: 'error', status: 502, work: 'all' }],
    [0.03, { kind: 'error', status: 503, code: 'APIGW.0203' }],
    [0.02, { kind: 'throttle', policy: 'user', limit: TERMS.windowCalls, windowMs: 1_000 }],
  ] as const
).map(([probability, effect]) => ({ operation: 'RetryTask' as const, probability, times: null, effect }));

/** Load and faults, then calm, then judgement. */
export async function run(world: FaultWorld, options: RunOptions): Promise<Judged> {
  const { name, seed, weather = BAD_WEATHER, sizes = [12, 20, 30, 8], everyMs = 150, schedules = 12, during } = options;
  const random = new Random(seed);
  await beginEvidence(world.postgres, TERMS);
  world.simulator.controls.clearLedger();
  world.simulator.controls.addFaults(...weather);
  world.receiver.received.splice(0);
  world.trouble(new Random(seed));
  const load = new Load(
    random,
    world.clients,
    world.tasks(sizes),
    `${name.replace(/\W+/g, '-')}-${seed}-${Date.now()}`,
    everyMs,
    world.receiver.url(),
  );
  const orders = await StandingOrders.begin(world, schedules);
  const recoveryMs: Record<string, number> = {};
  let drainMs = 0;
  try {
    load.start();
    try {
      await during({ world, random, load, recoveryMs });
    } finally {
      await world.calm();
      await load.stop();
      await orders.end();
    }
    const from = performance.now();
    await drained(world, options.drainMs ?? DRAIN_MS).catch((error: unknown) => {
      if (!options.mayNotDrain) throw error;
    });
    drainMs = Math.round(performance.now() - from);
  } catch (error) {
    world.spoilt = true;
    process.stdout.write(`  ✗ ${name} seed ${seed}: ${String(error)}\n`);
    if (load.submitted.length === 0) throw error;
    // What has come of it is judged all the same: the reason may be there.
    const { broken } = await judge(world, load, { name, seed, recoveryMs, drainMs });
    throw new Error(`${name} (seed ${seed}) failed, with ${JSON.stringify(summary(broken))}`, { cause: error });
  }
  const judged = await judge(world, load, { name, seed, recoveryMs, drainMs });
  if (Object.keys(judged.broken).length > 0) world.spoilt = true;
  print(judged);
  return judged;
}

async function drained(world: FaultWorld, limitMs: number): Promise<void> {
  await eventually(
    async () => {
      const [left] = await world.postgres.query<{ open: number; out: number }>(
        `SELECT (SELECT count(*)::int FROM request WHERE state = 'open') AS open,
                (SELECT count(*)::int FROM call WHERE state = 'sending' OR verdict_due_at IS NOT NULL)
                + (SELECT count(*)::int FROM list_call WHERE state = 'sending')
                + (SELECT count(*)::int FROM callback WHERE state = 'pending') AS out`,
      );
      if (left?.open !== 0 || left.out !== 0) throw new Error(`not drained: ${JSON.stringify(left)}`);
      return true;
    },
    { limitMs, everyMs: 100 },
  );
}

type Named = Pick<Figures, 'name' | 'seed' | 'recoveryMs' | 'drainMs'>;

async function judge(world: FaultWorld, load: Load, named: Named): Promise<Judged> {
  await loadEvidence(world.postgres, world.seenUpstream(), load.submitted);
  await loadNotices(world.postgres, world.receiver.received, world.callbackSecret);
  const broken: Record<string, readonly unknown[]> = { ...(await breaches(world.postgres)) };
  const found = await leaks(world, load.answers);
  if (found.length > 0) broken['no secret is found anywhere'] = found;
  const count = (...names: string[]): number => names.reduce((sum, one) => sum + (broken[one]?.length ?? 0), 0);
  const [row] = await world.postgres.query<{ calls: number; recovered: number }>(
    `SELECT (SELECT count(*)::int FROM call WHERE started_at >= (SELECT since FROM evidence.run)) AS calls,
            (SELECT count(*)::int FROM evidence.call_log WHERE from_state = 'unknown' AND state <> 'unknown') AS recovered`,
  );
  const figures = {
    ...named,
    accepted: load.accepted,
    calls: row?.calls ?? 0,
    lost: count('accepted is stored', 'every target has a result'),
    unrecorded: count('every RetryTask call has a row that was committed before it'),
    repeatedBlindly: count('nothing is repeated before its fate is known', 'a call reaches the upstream at most once'),
    recovered: row?.recovered ?? 0,
  };
  return { figures, broken };
}

function print({ figures, broken }: Judged): void {
  const { name, seed, accepted, calls, lost, unrecorded, repeatedBlindly, recovered, recoveryMs, drainMs } = figures;
  const times = Object.entries(recoveryMs).map(([what, ms]) => `, ${what} ${Math.round(ms)} ms`);
  const verdict = Object.keys(broken).length === 0 ? '✓' : '✗';
  process.stdout.write(
    `  ${verdict} ${name} (seed ${seed}): accepted ${accepted}, calls ${calls}, lost ${lost}, unrecorded ${unrecorded}, ` +
      `repeated blindly ${repeatedBlindly}, recovered ${recovered}, drained in ${drainMs} ms${times.join('')}\n`,
  );
  for (const [what, rows] of Object.entries(broken)) {
    process.stdout.write(`      broken: ${what}: ${rows.length} rows, ${JSON.stringify(rows.slice(0, 2))}\n`);
  }
}

/** The first rows of each. */
export function summary(broken: Breaches): Record<string, unknown[]> {
  return Object.fromEntries(Object.entries(broken).map(([name, rows]) => [name, rows.slice(0, 3)]));
}
