import type { StartedCall } from '../src/calling/call-starter.js';
import type { ListFilter } from '../src/watching/list-work.js';
import {
  aCredential,
  answered,
  CallingWorld,
  clusterIds,
  clustersOf,
  unlimited,
} from '../test/support/calling-world.js';
import { clusters, read, runningTasks, scan } from '../test/support/list-pages.js';
import { Random } from '../test/support/random.js';
import type { ClusterScan } from '../src/upstream/scan-tasks.js';
import type { Benchmark } from './support/benchmark.js';
import type { Finding } from './support/report.js';

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
const SUCCESS_RATE = 0.8;
const PRIORITIES = ['urgent', 'normal', 'normal', 'normal', 'background'] as const;
const RANK = { urgent: 0, normal: 1, background: 2 } as const;

/** A scan task as the upstream has it, after its scans. */
interface Task {
  readonly taskId: string;
  readonly priority: (typeof PRIORITIES)[number];
  readonly ids: readonly string[];
  readonly rows: ClusterScan[];
  acceptedAt: number;
  /** In the order of verdicts; null: none yet. */
  place: number | null;
}

/** The real rooms and a real Postgres in virtual time, with the upstream's lists kept in memory. */
export const verdicts: Benchmark = {
  name: 'verdicts',
  about: `${TASKS} scan tasks watched on one credential: list calls that a verdict costs, and in which order they come`,
  run: async (stage) => {
    const limits = { retryTask: unlimited, listTasks: LIMIT, listTaskResources: LIMIT };
    const world = await CallingWorld.open({ credentials: [aCredential({ limits })] });
    try {
      const tasks = await acceptAll(world, new Random(SEED));
      stage.say(`${TASKS} scan tasks, ${sum(tasks, ({ ids }) => ids.length)} clusters accepted`);
      const used = await readAll(world, tasks);
      return report(tasks, used);
    } finally {
      await world.close();
    }
  },
};

async function acceptAll(world: CallingWorld, random: Random): Promise<Task[]> {
  const tasks: Task[] = [];
  for (let n = 0; n < TASKS; n += 1) {
    const size = sizeOf(random);
    const task: Task = {
      taskId: `task-${n}`,
      priority: random.pick(PRIORITIES),
      ids: clusterIds(size, `c-${n}`),
      rows: [],
      acceptedAt: 0,
      place: null,
    };
    tasks.push(task);
    await world.aRequest({ taskId: task.taskId, priority: task.priority, clusterIds: task.ids });
    for (let turn = await world.look(); turn.kind === 'started'; turn = await world.look()) {
      await world.settle(turn.call, answered.accepted);
      scanned(task, turn.call, random);
    }
    await world.database.advance(100);
  }
  return tasks;
}

function sizeOf(random: Random): number {
  let drawn = random.next();
  for (const { share, from, to } of SIZES) {
    if (drawn < share) return random.whole(from, to);
    drawn -= share;
  }
  return 1;
}

function scanned(task: Task, call: StartedCall, random: Random): void {
  const endTime = new Date(call.at.getTime() + 20_000);
  for (const id of clustersOf(call)) {
    task.rows.push(scan(id, random.next() < SUCCESS_RATE ? 'success' : 'failed', { startTime: call.at, endTime }));
  }
  task.acceptedAt = call.at.getTime();
}

interface Used {
  listTasks: number;
  listTaskResources: number;
}

/** Until no task is watched any more: each list call answered at once, and time moved on to the next one. */
async function readAll(world: CallingWorld, tasks: readonly Task[]): Promise<Used> {
  const used: Used = { listTasks: 0, listTaskResources: 0 };
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  let places = 0;
  for (;;) {
    const waits: number[] = [];
    for (const operation of ['listTasks', 'listTaskResources'] as const) {
      const waitMs = await readLane(world, operation, (filter, offset) => {
        used[operation] += 1;
        if (operation === 'listTasks') return runningTasks([]);
        const task = byId.get(filter.taskId ?? '');
        if (task) task.place ??= places++;
        return pageOf(task?.rows ?? [], filter, offset);
      });
      waits.push(waitMs);
    }
    if ((await world.prisma.watch.count()) === 0) return used;
    await world.database.advance(Math.max(1, Math.min(...waits)));
  }
}

/** @returns how long until the lane is of use again, ms */
async function readLane(
  world: CallingWorld,
  operation: 'listTasks' | 'listTaskResources',
  answer: (filter: ListFilter, offset: number) => ReturnType<typeof read>,
): Promise<number> {
  const lane = world.laneFor(operation);
  for (;;) {
    const turn = await world.lookAtLists(lane);
    if (turn.kind === 'nothing') {
      return turn.nextLookAt ? turn.nextLookAt.getTime() - turn.now.getTime() : LIMIT.windowMs;
    }
    const { filter, offset } = turn.started.job;
    await world.settleList(turn.started, answer(filter, offset), lane);
  }
}

function pageOf(all: readonly ClusterScan[], filter: ListFilter, offset: number): ReturnType<typeof clusters> {
  const rows = all.filter(
    ({ clusterId, scanStatus }) =>
      (filter.clusterId ?? clusterId) === clusterId && (filter.scanStatus ?? scanStatus) === scanStatus,
  );
  const next = offset + PAGE < rows.length ? offset + PAGE : null;
  return clusters(rows.slice(offset, offset + PAGE), rows.length, next);
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
