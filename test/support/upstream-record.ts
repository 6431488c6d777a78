import type { LedgerEntry, Simulator } from '../../src/simulator/simulator.js';

/** RetryTask calls as they arrived: the upstream's word on what was sent, against which the service's own is held. */
export function retryCalls({ controls }: Simulator): LedgerEntry[] {
  return controls.ledger({ operation: 'RetryTask' });
}

/** The clusters that a call named, in its order; empty for a whole task. */
export function clustersIn({ body }: LedgerEntry): string[] {
  const { cluster_scan_info: info } = JSON.parse(body ?? '{}') as {
    cluster_scan_info: { cluster_info_list?: { cluster_id: string }[] };
  };
  return (info.cluster_info_list ?? []).map(({ cluster_id }) => cluster_id);
}

/** The most calls that arrived within any stretch of this length, wherever it begins. */
export function mostWithin(calls: readonly LedgerEntry[], windowMs: number): number {
  const arrivals = calls.map(({ at }) => at).sort((a, b) => a - b);
  const counts = arrivals.map((from) => arrivals.filter((at) => at >= from && at - from < windowMs).length);
  return Math.max(0, ...counts);
}

/** How often each cluster was sent. */
export function timesSent(calls: readonly LedgerEntry[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const clusterId of calls.flatMap(clustersIn)) times.set(clusterId, (times.get(clusterId) ?? 0) + 1);
  return times;
}
