import { assembleTask, buildCluster } from './build-task.js';
import { uuidFrom } from './chance.js';
import type { NewScan } from './hss-input.js';
import { startRescan } from './rescan.js';
import { isVisible } from './retry-task.js';
import type { ScanTask } from './scan-task.js';
import type { World } from './world.js';

/**
 * A new scan task over clusters that the project's other tasks know. Null when it would have none, or one that no task
 * knows. Its first scan follows the same policy as a rescan.
 */
export function createTask(world: World, projectId: string, enterpriseProject: string, scan: NewScan): ScanTask | null {
  const known = knownClusters(world, projectId, enterpriseProject);
  const wanted = scan.clusterIds ? [...new Set(scan.clusterIds)] : [...known.keys()];
  if (wanted.length === 0 || wanted.some((clusterId) => !known.has(clusterId))) return null;

  const now = world.now();
  const times = { startTime: now, endTime: now };
  const taskId = uuidFrom('created', world.seed, world.tasks.size);
  const task = assembleTask({
    projectId,
    enterpriseProjectId: enterpriseProject === 'all_granted_eps' ? '0' : enterpriseProject,
    taskId,
    taskName: `cluster-scan-${taskId.slice(0, 8)}`,
    triggerType: 'manual',
    scanTypes: scan.scanTypes,
    createdAt: now,
    clusters: wanted.map((id) => buildCluster(id, known.get(id) ?? id, scan.scanTypes, [], '', times, [])),
    ...times,
  });
  world.addTask(task);
  const rules = { ...world.rescanRules(task), scans: { ...world.scans, visibleAfterMs: 0 } };
  for (const cluster of task.clusters) startRescan(task, cluster, cluster.items, rules, now);
  return task;
}

/** Names by cluster id. */
function knownClusters(world: World, projectId: string, enterpriseProject: string): Map<string, string> {
  const known = new Map<string, string>();
  for (const task of world.tasksOf(projectId)) {
    if (!isVisible(task, enterpriseProject)) continue;
    for (const { clusterId, name } of task.clusters) known.set(clusterId, name);
  }
  return known;
}
