import type { Page, ResourceFilter, TaskFilter } from './hss-input.js';
import { isVisible } from './retry-task.js';
import { type Cluster, type ScanTask, settleTask } from './scan-task.js';
import type { World } from './world.js';

type TaskStatus = 'ready' | 'running' | 'finished';

export function statusOfTask(task: ScanTask): TaskStatus {
  return task.counts.scanning > 0 ? 'running' : 'finished';
}

function visibleTasks(world: World, projectId: string, enterpriseProject: string): ScanTask[] {
  const tasks = world.tasksOf(projectId).filter((task) => isVisible(task, enterpriseProject));
  for (const task of tasks) settleTask(task, world.now());
  return tasks;
}

export function listTasks(
  world: World,
  projectId: string,
  enterpriseProject: string,
  filter: TaskFilter,
  page: Page,
): unknown {
  const found = visibleTasks(world, projectId, enterpriseProject)
    .filter((task) => suits(task, filter))
    .sort((a, b) => (filter.ascending ? a.startTime - b.startTime : b.startTime - a.startTime));
  const now = world.now();
  return {
    total_num: found.length,
    data_list: found.slice(page.offset, page.offset + page.limit).map((task) => taskRow(task, now)),
  };
}

function suits(task: ScanTask, filter: TaskFilter): boolean {
  return (
    (filter.taskId === undefined || task.taskId === filter.taskId) &&
    (filter.taskName === undefined || task.taskName.includes(filter.taskName)) &&
    (filter.createdFrom === undefined || task.createdAt >= filter.createdFrom) &&
    (filter.createdTo === undefined || task.createdAt <= filter.createdTo) &&
    (filter.triggerType === undefined || task.triggerType === filter.triggerType) &&
    (filter.taskStatus === undefined || statusOfTask(task) === filter.taskStatus) &&
    (filter.scanTypes?.some((type) => task.scanTypes.includes(type)) ?? true)
  );
}

function taskRow(task: ScanTask, now: number): unknown {
  const status = statusOfTask(task);
  return {
    task_id: task.taskId,
    task_type: 'cluster_scan',
    task_name: task.taskName,
    trigger_type: task.triggerType,
    task_status: status,
    start_time: task.startTime,
    ...(status === 'finished' ? { end_time: task.endTime } : { estimated_time: minutesLeft(task, now) }),
    cluster_scan_info: {
      scan_type_list: task.scanTypes,
      scanning_cluster_num: task.counts.scanning,
      success_cluster_num: task.counts.success,
      failed_cluster_num: task.counts.failed,
    },
  };
}

/** A stuck cluster says nothing about the time left. */
function minutesLeft(task: ScanTask, now: number): number {
  let last = now;
  for (const { rescan } of task.active) {
    if (rescan && Number.isFinite(rescan.endsAt)) last = Math.max(last, rescan.endsAt);
  }
  return Math.max(1, Math.ceil((last - now) / 60_000));
}

export function listTaskResources(world: World, task: ScanTask, filter: ResourceFilter, page: Page): unknown {
  settleTask(task, world.now());
  const found = resources(task, filter);
  return {
    total_num: found.length,
    cluster_scan_data_list: found.slice(page.offset, page.offset + page.limit).map(clusterRow),
  };
}

function resources(task: ScanTask, filter: ResourceFilter): readonly Cluster[] {
  const { scanStatus, clusterName, clusterId, clusterType } = filter;
  const one = clusterId === undefined ? undefined : task.byId.get(clusterId);
  const among = clusterId === undefined ? task.clusters : one ? [one] : [];
  if (scanStatus === undefined && clusterName === undefined && clusterType === undefined) return among;
  return among.filter(
    (cluster) =>
      (scanStatus === undefined || cluster.status === scanStatus) &&
      (clusterName === undefined || cluster.name.includes(clusterName)) &&
      (clusterType === undefined || cluster.type === clusterType),
  );
}

function clusterRow(cluster: Cluster): unknown {
  return {
    cluster_name: cluster.name,
    cluster_id: cluster.clusterId,
    cluster_type: cluster.type,
    cluster_version: cluster.version,
    scan_status: cluster.status,
    start_time: cluster.startTime,
    ...(cluster.endTime === null ? {} : { end_time: cluster.endTime }),
    scan_detail_list: cluster.items.map(({ scanType, status, reason }) => ({
      scan_type: scanType,
      status,
      ...(reason === null ? {} : { failed_reason: reason }),
    })),
  };
}

export function taskStatistics(world: World, projectId: string, enterpriseProject: string): unknown {
  const tasks = visibleTasks(world, projectId, enterpriseProject);
  return {
    total_num: tasks.length,
    running_num: tasks.filter((task) => statusOfTask(task) === 'running').length,
    last_task_start_time: tasks.reduce((last, task) => Math.max(last, task.startTime), 0),
  };
}
