import { draw, hash32 } from './chance.js';
import { beginRescan, type Cluster, type ItemEnd, type ScanFate, type ScanItem, type ScanTask } from './scan-task.js';
import type { Behaviour, ScanPolicy } from './scenario.js';

export interface RescanRules {
  readonly seed: number;
  readonly scans: ScanPolicy;
  readonly renewsStartTime: Behaviour['renewsStartTime'];
}

/** Starts the rescan of these items of a cluster; how long it takes and how it ends is settled here and now. */
export function startRescan(
  task: ScanTask,
  cluster: Cluster,
  items: readonly ScanItem[],
  rules: RescanRules,
  now: number,
): void {
  const { seed, scans } = rules;
  const hash = hash32(seed, task.taskId, cluster.clusterId, cluster.rounds);
  const fate = cluster.plan[cluster.rounds] ?? (draw(hash, 0) < scans.stuckRate ? 'stuck' : null);
  const visibleAt = now + scans.visibleAfterMs;
  const durationMs = Math.round(scans.minMs + draw(hash, 1) * (scans.maxMs - scans.minMs));
  const rescan = {
    visibleAt,
    endsAt: fate === 'stuck' ? Infinity : visibleAt + durationMs,
    renews: rules.renewsStartTime,
    endTimeBefore: cluster.endTime,
    ends: items.map((item, index) => endOf(item, fate, scans, hash, 2 + 2 * index)),
    visible: false,
  };
  beginRescan(task, cluster, rescan, now);
}

function endOf(item: ScanItem, fate: ScanFate | null, scans: ScanPolicy, hash: number, index: number): ItemEnd {
  const succeeds = fate === null ? draw(hash, index) < scans.successRate : fate === 'success';
  if (succeeds) return { item, reason: null };
  const which = Math.floor(draw(hash, index + 1) * scans.reasons.length);
  return { item, reason: scans.reasons[which] ?? 'scan failed' };
}
