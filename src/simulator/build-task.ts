import { chance, pick, uuidFrom } from './chance.js';
import { demoProject } from './default-scenario.js';
import { type Cluster, clusterTypes, scanTypes, type ScanTask, type ScanType, statusOf } from './scan-task.js';
import type { ClusterSpec, ScanPolicy, TaskSpec } from './scenario.js';

const HOUR_MS = 3_600_000;
const SCAN_MS = 600_000;

const versions = ['v1.27', 'v1.28', 'v1.29', 'v1.30', 'v1.31'] as const;
const noPlan: Cluster['plan'] = [];

interface Ground {
  readonly seed: number;
  readonly now: number;
  readonly scans: ScanPolicy;
  /** How many tasks there are: it makes generated ids differ. */
  readonly existing: number;
}

/** The tasks that a spec stands for. */
export function buildTasks(spec: TaskSpec, ground: Ground): ScanTask[] {
  return Array.from({ length: spec.count ?? 1 }, (_, index) => {
    const generated = uuidFrom('task', ground.seed, ground.existing + index);
    const taskId = spec.count === undefined || spec.count === 1 ? (spec.taskId ?? generated) : generated;
    return buildTask(spec, taskId, ground);
  });
}

function buildTask(spec: TaskSpec, taskId: string, ground: Ground): ScanTask {
  const startTime = ground.now - (spec.startedAgoMs ?? HOUR_MS);
  const types = spec.scanTypes ?? scanTypes;
  const times = { startTime, endTime: Math.min(ground.now, startTime + SCAN_MS) };
  const listed = (spec.clusters ?? []).map((cluster) => listedCluster(cluster, types, times, ground));
  const generated = generatedClusters(spec, taskId, types, times, ground);
  return assembleTask({
    projectId: spec.projectId ?? demoProject,
    enterpriseProjectId: spec.enterpriseProjectId ?? '0',
    taskId,
    taskName: spec.taskName ?? `cluster-scan-${taskId.slice(0, 8)}`,
    triggerType: spec.triggerType ?? 'manual',
    scanTypes: types,
    createdAt: startTime,
    clusters: [...listed, ...generated],
    ...times,
  });
}

export function assembleTask(parts: Omit<ScanTask, 'byId' | 'active' | 'counts'>): ScanTask {
  const counts = { scanning: 0, success: 0, failed: 0 };
  for (const { status } of parts.clusters) counts[status] += 1;
  const byId = new Map(parts.clusters.map((cluster) => [cluster.clusterId, cluster]));
  return { ...parts, byId, active: new Set(), counts };
}

interface Times {
  readonly startTime: number;
  readonly endTime: number;
}

function listedCluster(spec: ClusterSpec, types: readonly ScanType[], times: Times, ground: Ground): Cluster {
  const failed = (spec.status ?? 'failed') === 'failed' ? (spec.failedScanTypes ?? types) : [];
  const reason = spec.reason ?? pick(ground.scans.reasons, ground.seed, spec.clusterId) ?? 'scan failed';
  return buildCluster(spec.clusterId, `cluster-${spec.clusterId}`, types, failed, reason, times, spec.next ?? []);
}

/** Spreads the failed clusters evenly among the healthy ones: a client that takes the first page only shall miss some. */
function generatedClusters(
  spec: TaskSpec,
  taskId: string,
  types: readonly ScanType[],
  times: Times,
  ground: Ground,
): Cluster[] {
  const tail = taskId.slice(-4);
  const failedCount = spec.failedClusters ?? 0;
  const total = failedCount + (spec.healthyClusters ?? 0);
  return Array.from({ length: total }, (_, index) => {
    const fails = Math.floor(((index + 1) * failedCount) / total) > Math.floor((index * failedCount) / total);
    const clusterId = uuidFrom('cluster', taskId, index);
    const reason = pick(ground.scans.reasons, ground.seed, clusterId) ?? 'scan failed';
    const failed = fails ? failedTypes(types, ground.seed, clusterId) : [];
    return buildCluster(clusterId, ['cluster', tail, index + 1].join('-'), types, failed, reason, times, noPlan);
  });
}

/** At least one, and usually not all. */
function failedTypes(types: readonly ScanType[], seed: number, clusterId: string): readonly ScanType[] {
  const surely = pick(types, seed, clusterId, 'surely');
  return types.filter((type) => type === surely || chance(seed, clusterId, type) < 0.4);
}

export function buildCluster(
  clusterId: string,
  name: string,
  types: readonly ScanType[],
  failed: readonly ScanType[],
  reason: string,
  times: Times,
  plan: Cluster['plan'],
): Cluster {
  const items = types.map((scanType) => {
    const fails = failed.includes(scanType);
    return { scanType, status: fails ? ('failed' as const) : ('success' as const), reason: fails ? reason : null };
  });
  return {
    clusterId,
    name,
    type: pick(clusterTypes, clusterId) ?? 'cce',
    version: pick(versions, clusterId, 'version') ?? 'v1.31',
    items,
    plan,
    status: statusOf(items),
    startTime: times.startTime,
    endTime: times.endTime,
    rescan: null,
    rounds: 0,
  };
}
