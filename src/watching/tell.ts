import { SCAN_TYPES, fromMask, type ScanMask } from '../domain/scan-type.js';
import type { KnownScan, SeenScan } from '../domain/fate.js';
import type { TargetResult } from '../domain/target.js';
import { failedReasons, judgeScan, normalisedReason, type Judgement } from '../domain/verdict.js';
import type { RetriedItem } from '../ledger/retry-outcomes.js';
import type { Told, WatchedCluster } from '../ledger/verdicts.js';
import type { ClusterScan, ScanItem } from '../upstream/scan-tasks.js';

/** What a page tells of the clusters that accepted calls wait for. */
export interface Telling {
  readonly told: readonly Told[];
  /** By call. */
  readonly effects: ReadonlyMap<string, 'seen' | 'renewed'>;
  readonly retried: readonly RetriedItem[];
  /** From the sending to the end of a scan, on the average; null where no row told. */
  readonly scanMs: number | null;
  /** Clusters that scan now. */
  readonly scanning: readonly string[];
}

/** Scan types as they may be wanted, 0 to 7. */
export const MASKS = Array.from({ length: 1 << SCAN_TYPES.length }, (_one, mask) => mask);
const MAX_TEXT = 500;

/**
 * @param clockOffsetMs the upstream's clock minus the database's, as the page's answer showed it; null: as it was known
 * @param now of the database
 */
export function tell(
  watched: readonly WatchedCluster[],
  rows: readonly ClusterScan[],
  clockOffsetMs: number | null,
  now: Date,
  graceMs: number,
): Telling {
  const byId = new Map(rows.map((row) => [row.clusterId, row]));
  const told: Told[] = [];
  const effects = new Map<string, 'seen' | 'renewed'>();
  const retried: RetriedItem[] = [];
  const durations: number[] = [];
  for (const cluster of watched) {
    const row = byId.get(cluster.clusterId);
    if (!row) continue;
    const sentAt = new Date(cluster.startedAt.getTime() + (clockOffsetMs ?? cluster.clockOffsetMs));
    const call = { sentAt, acceptedAt: cluster.acceptedAt, effect: cluster.effect, known: toKnown(cluster) };
    const judged = MASKS.map((mask) => judgeScan(scanOf(row, mask), call, now, graceMs));
    const verdicts = judged.map(({ verdict }) => verdict);
    const effect = strongest([effects.get(cluster.callId) ?? 'none', ...judged.map((one) => one.effect)]);
    if (effect !== 'none') effects.set(cluster.callId, effect);
    if (cluster.scanTypes.every((mask) => verdicts[mask] === null)) continue;
    const frees = cluster.scanTypes.every((mask) => verdicts[mask] !== null);
    told.push(toTold(cluster, row, verdicts, frees));
    if (frees) retried.push(...retriedItems(cluster, row, judged[0]?.effect === 'renewed'));
    const durationMs = (row.endTime?.getTime() ?? 0) - sentAt.getTime();
    // What is told of the future, or of another time zone, is no duration.
    if (durationMs > 0 && durationMs <= now.getTime() - cluster.startedAt.getTime()) durations.push(durationMs);
  }
  const scanMs = durations.length === 0 ? null : durations.reduce((sum, ms) => sum + ms, 0) / durations.length;
  const scanning = rows.filter((row) => scanOf(row, 0).itemsScan).map(({ clusterId }) => clusterId);
  return { told, effects, retried, scanMs, scanning };
}

/** A cluster that was asked for by itself and is not in the list any more. */
export const gone = ({ clusterId, callId }: WatchedCluster): Told => ({
  clusterId,
  callId,
  results: MASKS.map(() => 'not_found' as const),
  frees: true,
  scan: null,
  texts: MASKS.map(() => 'HSS accepted the call, and does not list the cluster any more.'),
  items: [],
});

/** What the row says of those scan types that were wanted: another one may go on failing. */
export function scanOf(row: ClusterScan, mask: ScanMask): SeenScan & { itemsScan: boolean } {
  const { startTime, endTime } = row;
  const wanted = fromMask(mask);
  const items = row.items.filter(({ scanType }) => !wanted || (scanType !== null && wanted.includes(scanType)));
  // While another item scans, one that does not yet may be the old one.
  const itemsScan = row.scanStatus === 'scanning' || items.some(({ status }) => status === 'scanning');
  return {
    status: wanted ? (statusOf(items, wanted.length) ?? row.scanStatus) : row.scanStatus,
    startTime,
    endTime,
    itemsScan,
  };
}

/** Null where not all of them are told. */
function statusOf(items: readonly ScanItem[], wanted: number): ClusterScan['scanStatus'] {
  if (items.some(({ status }) => status === 'failed')) return 'failed';
  const isTold = new Set(items.map(({ scanType }) => scanType)).size === wanted;
  return isTold && items.every(({ status }) => status === 'success') ? 'success' : null;
}

function toKnown({ known }: WatchedCluster): KnownScan | null {
  const toDate = (text: string | null): Date | null => (text === null ? null : new Date(text));
  return known && { startTime: toDate(known.startTime), endTime: toDate(known.endTime) };
}

function strongest(effects: readonly Judgement['effect'][]): Judgement['effect'] {
  if (effects.includes('renewed')) return 'renewed';
  return effects.includes('seen') ? 'seen' : 'none';
}

function toTold(
  { clusterId, callId }: WatchedCluster,
  row: ClusterScan,
  results: readonly (TargetResult | null)[],
  frees: boolean,
): Told {
  const items = row.items.map(({ scanType, status, failedReason }) => ({
    type: scanType ?? 'unknown',
    status,
    reason: failedReason,
  }));
  const failed = items.filter(({ status }) => status === 'failed');
  return {
    clusterId,
    callId,
    results,
    frees,
    scan: { startTime: row.startTime, endTime: row.endTime, reasons: failedReasons(row.items) },
    texts: results.map((result, mask) => (result === 'scan_failed' ? textOf(failed, mask) : null)),
    // Failed ones first: of several of one type only the first is kept. One at least says that there was a verdict.
    items:
      items.length > 0
        ? [...failed, ...items.filter((item) => !failed.includes(item))]
        : [{ type: 'unknown', status: row.scanStatus, reason: null }],
  };
}

/** Of those that were wanted; null where HSS told of none. */
function textOf(failed: Told['items'], mask: ScanMask): string | null {
  const wanted = fromMask(mask);
  const told = failed.filter(({ type }) => !wanted || (wanted as readonly string[]).includes(type));
  const text = told.map(({ type, reason }) => `${type}: ${reason ?? 'no reason given'}`).join('; ');
  return text === '' ? null : text.slice(0, MAX_TEXT);
}

/**
 * The scan items that the call has retried for sure, of those that it sent: those that had failed before. Where nobody had read that, a
 * row has times of its cluster, and none of its items: one that succeeds now need never have failed, and HSS retries what has. So only
 * an item that the row shows alone counts then, and a row with new times. To count those of others that fail again, as they surely had
 * before, would make retries look worse than they are.
 */
function retriedItems({ scanTypes, round, before }: WatchedCluster, row: ClusterScan, isNew: boolean): RetriedItem[] {
  const wanted = scanTypes.includes(0) ? null : scanTypes.flatMap((mask) => fromMask(mask) ?? []);
  const sent = row.items.filter(({ scanType }) => !wanted || scanType === null || wanted.includes(scanType));
  if (!before && !(isNew && sent.length === 1)) return [];
  return sent.flatMap(({ scanType, status }) => {
    if (scanType === null || (status !== 'success' && status !== 'failed')) return [];
    if (before && !(scanType in before)) return [];
    const reason = before ? normalisedReason(before[scanType] ?? null) : 'unknown';
    return [{ scanType, reason, round, succeeded: status === 'success' }];
  });
}
