import { fromMask, type ScanMask } from '../domain/scan-type.js';
import { MAX_CLUSTERS_PER_CALL } from '../domain/call.js';

/** A cluster as it is sent, with its scan types as a mask. */
export interface ClusterRange {
  readonly clusterId: string;
  readonly scanTypes: ScanMask;
}

export type RetryRange =
  | { readonly rangeType: 'all_failed_cluster' }
  | { readonly rangeType: 'specific_cluster'; readonly clusters: readonly ClusterRange[] };

/** The body of RetryTask, byte for byte: its hash is kept, so the order of fields and clusters is part of the contract. */
export function retryTaskBody(range: RetryRange): string {
  if (range.rangeType === 'all_failed_cluster') {
    return JSON.stringify({ task_type: 'cluster_scan', cluster_scan_info: { range_type: range.rangeType } });
  }
  if (range.clusters.length < 1 || range.clusters.length > MAX_CLUSTERS_PER_CALL) {
    throw new RangeError(`a call takes 1 to ${MAX_CLUSTERS_PER_CALL} clusters, not ${range.clusters.length}`);
  }
  const clusters = range.clusters.map(({ clusterId, scanTypes }) => {
    const types = fromMask(scanTypes);
    return types ? { cluster_id: clusterId, scan_type_list: types } : { cluster_id: clusterId };
  });
  return JSON.stringify({
    task_type: 'cluster_scan',
    cluster_scan_info: { range_type: range.rangeType, cluster_info_list: clusters },
  });
}
