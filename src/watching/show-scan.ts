import type { ShownScan } from '../ledger/awaited-scans.js';
import type { ClusterScan } from '../upstream/scan-tasks.js';
import { MASKS, scanOf } from './tell.js';

/**
 * What a page says of a scan that was there before our call: there is nothing of ours to tell it from, and it is over once nothing of the
 * cluster scans.
 * @param row null where the page does not show the cluster
 * @param isGone it was asked for by itself, and is not there
 */
export function showScan(clusterId: string, row: ClusterScan | null, isGone: boolean): ShownScan {
  if (!row) return { clusterId, ends: MASKS.map(() => (isGone ? 'gone' : null)), times: null };
  const ends = MASKS.map((mask) => {
    const { status, itemsScan } = scanOf(row, mask);
    return itemsScan || status === 'scanning' ? null : status;
  });
  return { clusterId, ends, times: { startTime: row.startTime, endTime: row.endTime } };
}
