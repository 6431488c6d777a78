import { ALL_SCAN_TYPES } from '../domain/scan-type.js';
import type { Filled } from '../ledger/filling.js';
import type { ClusterRange, RetryRange } from '../upstream/wire.js';

export interface CallRange {
  readonly range: RetryRange;
  /** By cluster, as sent; the targets of one cluster beside each other. */
  readonly targetIds: readonly bigint[];
  /** Of each target's cluster; empty where all are "every failed item". */
  readonly scanMasks: readonly number[];
  /** 0: those of the whole task, none of which is known. */
  readonly clusterCount: number;
}

/**
 * What is sent for the targets that a call took: each cluster once, with the scan types of all who want it united. None given
 * means every failed item, and so does a union with it.
 * @param asWholeTask they are all that has failed of the task
 */
export function toRange(taken: readonly Filled[], asWholeTask = false): CallRange {
  const byCluster = new Map<string, Filled[]>();
  for (const target of taken) {
    const others = byCluster.get(target.clusterId ?? '');
    if (others) others.push(target);
    else byCluster.set(target.clusterId ?? '', [target]);
  }
  const targetIds = [...byCluster.values()].flat().map(({ targetId }) => targetId);
  if (asWholeTask || byCluster.has('')) {
    const clusterCount = byCluster.has('') ? 0 : byCluster.size;
    return { range: { rangeType: 'all_failed_cluster' }, targetIds, scanMasks: [], clusterCount };
  }
  const clusters: ClusterRange[] = [...byCluster].map(([clusterId, targets]) => ({
    clusterId,
    scanTypes: united(targets),
  }));
  const masks = clusters.flatMap(({ clusterId, scanTypes }) => (byCluster.get(clusterId) ?? []).map(() => scanTypes));
  return {
    range: { rangeType: 'specific_cluster', clusters },
    targetIds,
    scanMasks: masks.every((mask) => mask === ALL_SCAN_TYPES) ? [] : masks,
    clusterCount: clusters.length,
  };
}

const united = (targets: readonly Filled[]): number =>
  targets.some(({ scanTypes }) => scanTypes === ALL_SCAN_TYPES)
    ? ALL_SCAN_TYPES
    : targets.reduce((mask, { scanTypes }) => mask | scanTypes, 0);
