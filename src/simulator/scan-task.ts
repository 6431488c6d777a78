export const scanTypes = ['cluster_vul', 'risk_assessment', 'benchmark'] as const;
export type ScanType = (typeof scanTypes)[number];

export const scanStatuses = ['scanning', 'success', 'failed'] as const;
export type ScanStatus = (typeof scanStatuses)[number];

export const clusterTypes = ['cce', 'ali', 'tencent', 'azure', 'aws', 'self_built_hw', 'self_built_idc'] as const;
export type ClusterType = (typeof clusterTypes)[number];

export const scanFates = ['success', 'failed', 'stuck'] as const;
export type ScanFate = (typeof scanFates)[number];

export const startTimeRenewals = ['task_and_clusters', 'clusters', 'none', 'no_times'] as const;
export type StartTimeRenewal = (typeof startTimeRenewals)[number];

export interface ScanItem {
  readonly scanType: ScanType;
  status: ScanStatus;
  reason: string | null;
}

/** How one item will end; no reason: it will succeed. */
export interface ItemEnd {
  readonly item: ScanItem;
  readonly reason: string | null;
}

/** An accepted rescan. Until `visibleAt` the cluster still shows its old result; `endsAt` is infinite when it is stuck. */
interface Rescan {
  readonly visibleAt: number;
  readonly endsAt: number;
  readonly renews: StartTimeRenewal;
  /** What `no_times` leaves as it was. */
  readonly endTimeBefore: number | null;
  readonly ends: readonly ItemEnd[];
  visible: boolean;
}

export interface Cluster {
  readonly clusterId: string;
  readonly name: string;
  readonly type: ClusterType;
  readonly version: string;
  readonly items: readonly ScanItem[];
  /** How the next rescans end; the scan policy decides once it is used up. */
  readonly plan: readonly ScanFate[];
  status: ScanStatus;
  startTime: number;
  endTime: number | null;
  rescan: Rescan | null;
  /** Rescans taken so far. */
  rounds: number;
}

export interface ScanTask {
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly taskName: string;
  readonly triggerType: 'manual' | 'schedule';
  readonly scanTypes: readonly ScanType[];
  readonly createdAt: number;
  readonly clusters: readonly Cluster[];
  readonly byId: ReadonlyMap<string, Cluster>;
  /** Clusters with an accepted rescan that is not over: what has to be looked at when time passes. */
  readonly active: Set<Cluster>;
  readonly counts: Record<ScanStatus, number>;
  startTime: number;
  endTime: number;
}

/**
 * Lets time pass for one cluster. Nothing runs in the background: whoever looks at a cluster settles it first, so
 * that a clock is all that the simulator needs.
 */
export function settleCluster(task: ScanTask, cluster: Cluster, now: number): void {
  const { rescan } = cluster;
  if (!rescan) return;
  if (!rescan.visible && now >= rescan.visibleAt) show(task, cluster, rescan);
  if (rescan.visible && now >= rescan.endsAt) finish(task, cluster, rescan);
}

export function settleTask(task: ScanTask, now: number): void {
  for (const cluster of task.active) settleCluster(task, cluster, now);
}

export function beginRescan(task: ScanTask, cluster: Cluster, rescan: Rescan, now: number): void {
  cluster.rescan = rescan;
  cluster.rounds += 1;
  task.active.add(cluster);
  settleCluster(task, cluster, now);
}

function show(task: ScanTask, cluster: Cluster, rescan: Rescan): void {
  rescan.visible = true;
  for (const { item } of rescan.ends) {
    item.status = 'scanning';
    item.reason = null;
  }
  if (rescan.renews === 'task_and_clusters' || rescan.renews === 'clusters') cluster.startTime = rescan.visibleAt;
  if (rescan.renews === 'task_and_clusters') task.startTime = Math.max(task.startTime, rescan.visibleAt);
  cluster.endTime = null;
  setStatus(task, cluster);
}

function finish(task: ScanTask, cluster: Cluster, rescan: Rescan): void {
  for (const { item, reason } of rescan.ends) {
    item.status = reason === null ? 'success' : 'failed';
    item.reason = reason;
  }
  cluster.endTime = rescan.renews === 'no_times' ? rescan.endTimeBefore : rescan.endsAt;
  task.endTime = Math.max(task.endTime, rescan.endsAt);
  cluster.rescan = null;
  task.active.delete(cluster);
  setStatus(task, cluster);
}

function setStatus(task: ScanTask, cluster: Cluster): void {
  task.counts[cluster.status] -= 1;
  cluster.status = statusOf(cluster.items);
  task.counts[cluster.status] += 1;
}

export function statusOf(items: readonly ScanItem[]): ScanStatus {
  if (items.some(({ status }) => status === 'scanning')) return 'scanning';
  return items.some(({ status }) => status === 'failed') ? 'failed' : 'success';
}
