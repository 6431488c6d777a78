import type { ErrorSpec } from './answers.js';
import type { Work } from './fault-rules.js';
import type { HssCall, RetryRange, WantedCluster } from './hss-input.js';
import { startRescan } from './rescan.js';
import { type Cluster, type ScanItem, type ScanTask, settleCluster, settleTask } from './scan-task.js';
import type { Behaviour, Verdict } from './scenario.js';
import type { World } from './world.js';

interface RetryResult {
  /** Null: accepted. */
  readonly refusal: ErrorSpec | null;
  readonly taken: readonly string[];
}

/** A cluster that can be taken, with the items to scan again. */
interface Candidate {
  readonly cluster: Cluster;
  readonly items: readonly ScanItem[];
}

export function retryTask(
  world: World,
  call: HssCall,
  enterpriseProject: string,
  range: RetryRange,
  work: Work,
): RetryResult {
  const now = world.now();
  const task = world.task(call.projectId, call.taskId);
  if (!task) return judged(world.behaviour.unknownTask);
  if (!isVisible(task, enterpriseProject)) return judged(world.behaviour.wrongEnterpriseProject);
  if (world.behaviour.runningTask !== 'accept') {
    settleTask(task, now);
    if (task.active.size > 0) return judged(world.behaviour.runningTask);
  }
  const candidates =
    range.kind === 'all_failed_cluster' ? allFailed(task, now) : named(task, range.clusters, world.behaviour, now);
  if (candidates === 'rejected') return { refusal: world.behaviour.clusterRejection, taken: [] };
  if (range.kind === 'all_failed_cluster' && candidates.length === 0) return judged(world.behaviour.cleanTask);

  const taken = work === 'half' ? candidates.filter((_, index) => index % 2 === 0) : candidates;
  const rules = world.rescanRules(task);
  for (const { cluster, items } of taken) startRescan(task, cluster, items, rules, now);
  return { refusal: null, taken: taken.map(({ cluster }) => cluster.clusterId) };
}

export function isVisible(task: ScanTask, enterpriseProject: string): boolean {
  return enterpriseProject === 'all_granted_eps' || task.enterpriseProjectId === enterpriseProject;
}

function judged(verdict: Verdict): RetryResult {
  return { refusal: verdict === 'accept' ? null : verdict, taken: [] };
}

function allFailed(task: ScanTask, now: number): Candidate[] {
  settleTask(task, now);
  if (task.counts.failed === 0) return [];
  return task.clusters
    .filter((cluster) => cluster.status === 'failed' && !cluster.rescan)
    .map((cluster) => ({ cluster, items: failedItems(cluster) }));
}

/** Costs as much as the call names clusters, however large the task is. */
function named(
  task: ScanTask,
  wanted: readonly WantedCluster[],
  behaviour: Behaviour,
  now: number,
): Candidate[] | 'rejected' {
  const found = new Map<Cluster, Candidate>();
  for (const { clusterId, scanTypes } of wanted) {
    const cluster = task.byId.get(clusterId);
    if (cluster) settleCluster(task, cluster, now);
    const items = cluster ? itemsToScan(cluster, scanTypes, behaviour) : behaviour.unknownCluster;
    if (items === 'reject') return 'rejected';
    if (cluster && items !== 'ignore') found.set(cluster, { cluster, items });
  }
  return [...found.values()];
}

function itemsToScan(
  cluster: Cluster,
  scanTypes: WantedCluster['scanTypes'],
  behaviour: Behaviour,
): readonly ScanItem[] | 'ignore' | 'reject' {
  const wanted = scanTypes ? cluster.items.filter(({ scanType }) => scanTypes.includes(scanType)) : cluster.items;
  if (cluster.rescan) return behaviour.scanningCluster === 'restart' ? wanted : behaviour.scanningCluster;
  const failed = wanted.filter(({ status }) => status === 'failed');
  if (failed.length > 0) return failed;
  return behaviour.healthyCluster === 'rescan' ? wanted : behaviour.healthyCluster;
}

function failedItems(cluster: Cluster): ScanItem[] {
  return cluster.items.filter(({ status }) => status === 'failed');
}
