/** What a listing says of one cluster, or of a task as a whole. */
export interface SeenScan {
  readonly status: 'scanning' | 'success' | 'failed' | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** `unclear`: it says too little, and is asked for again. */
export type Fate = 'taken' | 'not_carried_out' | 'unclear';

/** The upstream tells times in its own clock and an answer's moment in whole seconds. */
const CLOCK_MARGIN_MS = 3_000;

/** From when on a time of the upstream counts as one after the sending. */
export const sinceSending = (sentAt: Date): Date => new Date(sentAt.getTime() - CLOCK_MARGIN_MS);

/**
 * Whether a call of unknown fate was carried out for a cluster, long after it: what scans now, or has times after the sending,
 * was taken; so was what does not fail any more, since it needs no retry whatever happened. An old failure is an old failure, and
 * what has neither a state that we know nor a time after the sending says nothing.
 * @param sentAt in the upstream's clock
 */
export function fateOf(scan: SeenScan, sentAt: Date): Fate {
  if (scan.status === 'scanning' || scan.status === 'success') return 'taken';
  const since = sinceSending(sentAt);
  const moments = [scan.startTime, scan.endTime].filter((moment) => moment !== null);
  if (moments.some((moment) => moment >= since)) return 'taken';
  return scan.status === 'failed' ? 'not_carried_out' : 'unclear';
}
