import { aCredential, CallingWorld, unlimited } from '../test/support/calling-world.js';
import { Random } from '../test/support/random.js';
import type { Benchmark } from './support/benchmark.js';
import type { Finding } from './support/report.js';
import { acceptAll, readAll, type Task, type Used } from './support/scan-tasks.js';

const TASKS = 1_000;
const PAGE = 200;
const LIMIT = { calls: 5, windowMs: 60_000 };
const SEED = 1;
/** Clusters that are wanted of a scan task, and how often. */
const SIZES = [
  { share: 0.4, from: 1, to: 3 },
  { share: 0.4, from: 4, to: 100 },
  { share: 0.2, from: 101, to: 600 },
] as const;
const RANK = { urgent: 0, normal: 1, background: 2 } as const;

/** The real rooms and a real Postgres in virtual time, with the upstream's lists kept in memory. */
export const verdicts: Benchmark = {
  name: 'verdicts',
  about: `${TASKS} scan tasks watched on one credential: list calls that a verdict costs, and in which order they come`,
  run: async (stage) => {
    const limits = { retryTask: unlimited, listTasks: LIMIT, listTaskResources: LIMIT };
    const world = await CallingWorld.open({ credentials: [aCredential({ limits })] });
    try {
      const tasks = await acceptAll(world, new Random(SEED), { tasks: TASKS, sizeOf });
      stage.say(`${TASKS} scan tasks, ${sum(tasks, ({ ids }) => ids.length)} clusters accepted`);
      const used = await readAll(world, tasks);
      return report(tasks, used);
    } finally {
      await world.close();
    }
  },
};

function sizeOf(random: Random): number {
  let drawn = random.next();
  for (const { share, from, to } of SIZES) {
    if (drawn < share) return random.whole(from, to);
    drawn -= share;
  }
  return 1;
}

function report(tasks: readonly Task[], used: Used): Finding[] {
  const verdictsRead = sum(tasks, ({ rows }) => rows.length);
  const calls = used.listTasks + used.listTaskResources;
  // No reader can do with fewer: each page tells of one task and of one state, or of all of them.
  const fewest = 1 + sum(tasks, ({ rows }) => Math.ceil(rows.length / PAGE));
  const { right, pairs } = order(tasks);
  return [
    {
      what: `${verdictsRead} verdicts of ${TASKS} scan tasks: list calls`,
      ours: `${calls} (${used.listTasks} + ${used.listTaskResources})`,
      floor: String(fewest),
      measured: calls / fewest,
      target: null,
    },
    {
      what: '  list calls a verdict',
      ours: (calls / verdictsRead).toFixed(3),
      floor: (fewest / verdictsRead).toFixed(3),
      measured: calls / verdictsRead,
      target: null,
    },
    {
      what: '  pairs of tasks in the order of need',
      ours: `${((100 * right) / pairs).toFixed(1)} %`,
      floor: '100 %',
      measured: right / pairs,
      target: { atLeast: 0.98 },
    },
  ];
}

/** Need: when it was accepted, and ten minutes later for each class of priority. */
function order(tasks: readonly Task[]): { right: number; pairs: number } {
  const need = ({ acceptedAt, priority }: Task): number => acceptedAt + RANK[priority] * 600_000;
  let [right, pairs] = [0, 0];
  for (const [index, a] of tasks.entries()) {
    for (const b of tasks.slice(index + 1)) {
      pairs += 1;
      if (need(a) < need(b) === (a.place ?? 0) < (b.place ?? 0)) right += 1;
    }
  }
  return { right, pairs };
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
