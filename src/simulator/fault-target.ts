import type { Route } from './routing.js';
import type { World } from './world.js';

/** Does this RetryTask call, well-formed or not, name one of the clusters, or mean it as one of all failed ones? */
export function touchesClusters(world: World, route: Route, body: unknown, clusterIds: readonly string[]): boolean {
  if (route.operation !== 'RetryTask') return false;
  const info = property(body, 'cluster_scan_info');
  if (property(info, 'range_type') === 'all_failed_cluster') {
    const task = world.task(route.projectId, route.taskId);
    return clusterIds.some((clusterId) => task?.byId.get(clusterId)?.status === 'failed');
  }
  const listed = property(info, 'cluster_info_list');
  if (!Array.isArray(listed)) return false;
  const looked = new Set<unknown>(clusterIds);
  return listed.some((entry) => looked.has(property(entry, 'cluster_id')));
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
