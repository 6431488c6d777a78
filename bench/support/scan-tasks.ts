import type { StartedCall } from '../../src/calling/call-starter.js';
import type { ClusterScan } from '../../src/upstream/scan-tasks.js';
import type { ListFilter } from '../../src/watching/list-work.js';
import { answered, clusterIds, clustersOf, type CallingWorld } from '../../test/support/calling-world.js';
import { clusters, read, runningTasks, scan } from '../../test/support/list-pages.js';
import type { Random } from '../../test/support/random.js';

const PAGE = 200;
const SUCCESS_RATE = 0.8;
const PRIORITIES = ['urgent', 'normal', 'normal', 'normal', 'background'] as const;
/** Where a lane says nothing of its next slot. */
const WINDOW_MS = 60_000;

/** A scan task as the upstream has it, after its scans. */
export interface Task {
  readonly taskId: string;
  readonly priority: (typeof PRIORITIES)[number];
  readonly ids: readonly string[];
  readonly rows: ClusterScan[];
  acceptedAt: number;
  /** In the order of verdicts; null: none yet. */
  place: number | null;
}

/** So many scan tasks, each wanted by a request and accepted in as many calls as it takes. */
export async function acceptAll(
  world: CallingWorld,
  random: Random,
  {
    tasks: count,
    sizeOf,
    first = 0,
  }: { readonly tasks: number; readonly sizeOf: (random: Random) => number; readonly first?: number },
): Promise<Task[]> {
  const tasks: Task[] = [];
  for (let n = first; n < first + count; n += 1) {
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

function scanned(task: Task, call: StartedCall, random: Random): void {
  const endTime = new Date(call.at.getTime() + 20_000);
  for (const id of clustersOf(call)) {
    task.rows.push(scan(id, random.next() < SUCCESS_RATE ? 'success' : 'failed', { startTime: call.at, endTime }));
  }
  task.acceptedAt = call.at.getTime();
}

export interface Used {
  listTasks: number;
  listTaskResources: number;
}

/** Until no task is watched any more: each list call answered at once, and time moved on to the next one. */
export async function readAll(world: CallingWorld, tasks: readonly Task[]): Promise<Used> {
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
      return turn.nextLookAt ? turn.nextLookAt.getTime() - turn.now.getTime() : WINDOW_MS;
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
