import { statusOfTask } from './read-tasks.js';
import { type Cluster, type ScanItem, type ScanStatus, type ScanTask, settleTask } from './scan-task.js';
import type { World } from './world.js';

export interface ClusterView {
  readonly clusterId: string;
  readonly name: string;
  readonly status: ScanStatus;
  readonly items: readonly Readonly<ScanItem>[];
  readonly startTime: number;
  readonly endTime: number | null;
  /** Rescans that were taken, whether they can be seen yet or not. */
  readonly rounds: number;
  /** A rescan was taken and is not over. */
  readonly pending: boolean;
}

export interface TaskView {
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly taskName: string;
  readonly status: 'ready' | 'running' | 'finished';
  readonly counts: Readonly<Record<ScanStatus, number>>;
}

/** The truth, without limits or credentials: what a test compares its own picture with. */
export function viewTasks(world: World): TaskView[] {
  return [...world.tasks.values()].map((task) => viewTask(world, task));
}

export function viewTask(world: World, task: ScanTask): TaskView {
  settleTask(task, world.now());
  const { projectId, enterpriseProjectId, taskId, taskName, counts } = task;
  return { projectId, enterpriseProjectId, taskId, taskName, status: statusOfTask(task), counts: { ...counts } };
}

/** Empty for a task that does not exist. */
export function viewClusters(world: World, projectId: string, taskId: string): ClusterView[] {
  const task = world.task(projectId, taskId);
  if (!task) return [];
  settleTask(task, world.now());
  return task.clusters.map(viewCluster);
}

function viewCluster(cluster: Cluster): ClusterView {
  const { clusterId, name, status, items, startTime, endTime, rounds } = cluster;
  const copies = items.map((item) => ({ ...item }));
  return { clusterId, name, status, items: copies, startTime, endTime, rounds, pending: cluster.rescan !== null };
}
