import { fateOf, type SeenScan } from '../domain/fate.js';
import type { CallCluster, CallFacts } from '../ledger/calls.js';
import { oneByOne, oneByOneFrom } from '../domain/lookup.js';
import type { LookupProgress } from '../ledger/lookups.js';
import type { ClusterScan, ListPage, TaskSummary } from '../upstream/scan-tasks.js';

export type LookupPage = ListPage<ClusterScan> | ListPage<TaskSummary>;

/**
 * What is known of a call's clusters after one more page. A live list drifts between pages, so that a cluster which no page shows is
 * asked for by itself before it counts as gone; what is gone is not scanned. One that tells nothing keeps no other from being asked for.
 * @param clockOffsetMs the upstream's clock minus the database's
 */
export function judge(
  call: Pick<CallFacts, 'startedAt' | 'lookupOffset' | 'lookupSeen' | 'lookupTaken'>,
  clusters: readonly CallCluster[],
  page: LookupPage,
  clockOffsetMs: number,
): LookupProgress & { readonly complete: boolean; readonly isStuck: boolean } {
  const sentAt = new Date(call.startedAt.getTime() + clockOffsetMs);
  const byCluster = new Map(clusters.map((cluster) => [cluster.clusterId ?? '', cluster]));
  const seen = new Set(call.lookupSeen);
  const taken = new Set(call.lookupTaken);
  const scans = page.rows.map(toScan);
  for (const scan of scans) {
    const cluster = byCluster.get(scan.clusterId);
    const known = cluster ? { startTime: cluster.knownStart, endTime: cluster.knownEnd } : null;
    const fate = fateOf(scan, sentAt, known);
    for (const id of fate === 'unclear' ? [] : (cluster?.targetIds ?? [])) {
      seen.add(id);
      if (fate === 'taken') taken.add(id);
    }
  }
  // Asked for by itself and not there, it is gone; unless the page had rows that nobody could read, or was not the only one.
  const asked = askedAlone(clusters, call);
  if (asked && page.rowsSeen === page.rows.length && page.nextOffset === null) {
    const isThere = scans.some(({ clusterId }) => clusterId === (asked.clusterId ?? ''));
    for (const id of isThere ? [] : asked.targetIds) seen.add(id);
  }
  const offset = asked ? oneByOne(clusters.indexOf(asked) + 1) : (page.nextOffset ?? oneByOne(0));
  const complete = clusters.every(({ targetIds }) => targetIds.every((id) => seen.has(id)));
  const next = askedAlone(clusters, { lookupOffset: offset, lookupSeen: [...seen] });
  // Each that is missing was asked for, and this one told nothing either.
  const isStuck =
    asked !== null &&
    next !== null &&
    seen.size === call.lookupSeen.length &&
    clusters.indexOf(next) <= clusters.indexOf(asked);
  return { offset, seen: [...seen], taken: [...taken], complete, isStuck };
}

/** Without rows of other tasks: an upstream that ignores the filter must not answer for them. */
export function onlyOf(taskId: string, page: LookupPage): LookupPage {
  const rows = (page.rows as readonly (ClusterScan | TaskSummary)[]).filter(
    (row) => 'clusterId' in row || row.taskId === taskId,
  );
  return { ...page, rows } as LookupPage;
}

/** The cluster that a lookup one by one asks for; null while it reads pages. */
export function askedAlone(
  clusters: readonly CallCluster[],
  { lookupOffset, lookupSeen }: Pick<CallFacts, 'lookupOffset' | 'lookupSeen'>,
): CallCluster | null {
  const from = oneByOneFrom(lookupOffset);
  if (from === null) return null;
  const known = new Set(lookupSeen);
  const inTurn = [...clusters.slice(from), ...clusters.slice(0, from)];
  return inTurn.find(({ targetIds }) => targetIds.some((id) => !known.has(id))) ?? null;
}

/** A whole task counts as one cluster without an id. */
function toScan(row: ClusterScan | TaskSummary): SeenScan & { clusterId: string } {
  const { startTime, endTime } = row;
  if ('clusterId' in row) return { clusterId: row.clusterId, status: row.scanStatus, startTime, endTime };
  return { clusterId: '', status: statusOf(row), startTime, endTime };
}

function statusOf({ taskStatus, scanningClusters, failedClusters }: TaskSummary): SeenScan['status'] {
  if (taskStatus === 'running' || taskStatus === 'ready' || (scanningClusters ?? 0) > 0) return 'scanning';
  if (failedClusters === 0) return 'success';
  return taskStatus === null && failedClusters === null ? null : 'failed';
}
