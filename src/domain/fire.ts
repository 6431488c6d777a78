import type { ClusterLeftOut } from './schedule.js';

/** How far a list is read. */
export interface Reading {
  readonly offset: number;
  /** Rows in all pages, as the page before said; null before the first one. */
  readonly expected: number | null;
}

export interface PageRead {
  readonly total: number | null;
  readonly nextOffset: number | null;
}

/**
 * Where to read on; null at the end of the list. Where the list has become shorter since the last page, whatever stood at this offset
 * may stand before it by now, by as many rows at most: they are read once more, and what comes twice counts once.
 */
export function nextPage({ offset, expected }: Reading, { total, nextOffset }: PageRead): number | null {
  const gone = expected === null || total === null ? 0 : expected - total;
  return gone > 0 && offset > 0 ? Math.max(0, offset - gone) : nextOffset;
}

/** A failed cluster, and what is known of it here. */
export interface Candidate {
  readonly clusterId: string;
  /** In a live call, or wanted by an open request for its scan task. */
  readonly live: boolean;
  /** Times that it was scanned again within a day, or is about to be. */
  readonly tries: number;
  readonly lastTriedAt: Date | null;
}

export interface Limits {
  /** With fewer of them the scan task is left alone. */
  readonly minFailed: number;
  readonly triesPerDay: number | null;
  readonly minPauseMs: number;
  /** Clusters that the fire may still take. */
  readonly room: number;
  /** Targets that its caller may still open. */
  readonly openRoom: number;
}

export interface Choice {
  readonly taken: readonly string[];
  readonly leftOut: readonly { readonly clusterId: string; readonly reason: ClusterLeftOut }[];
}

/** Which clusters of a scan task are requested again, and why the others are not; in the order given. */
export function chooseClusters(candidates: readonly Candidate[], limits: Limits, now: Date): Choice {
  const taken: string[] = [];
  const leftOut: { clusterId: string; reason: ClusterLeftOut }[] = [];
  const tooFew = candidates.length < limits.minFailed ? 'below_min_failed' : null;
  for (const candidate of candidates) {
    const { clusterId } = candidate;
    const reason = tooFew ?? barredBy(candidate, limits, now) ?? fullBy(taken.length, limits);
    if (reason) leftOut.push({ clusterId, reason });
    else taken.push(clusterId);
  }
  return { taken, leftOut };
}

function barredBy(
  { live, tries, lastTriedAt }: Candidate,
  { triesPerDay, minPauseMs }: Limits,
  now: Date,
): ClusterLeftOut | null {
  if (live) return 'live';
  if (triesPerDay !== null && tries >= triesPerDay) return 'tried_too_often';
  if (lastTriedAt && now.getTime() - lastTriedAt.getTime() < minPauseMs) return 'tried_too_recently';
  return null;
}

function fullBy(taken: number, { room, openRoom }: Limits): ClusterLeftOut | null {
  if (taken >= room) return 'max_clusters';
  return taken >= openRoom ? 'open_targets_limit' : null;
}
