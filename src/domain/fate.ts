/** What a listing says of one cluster, or of a task as a whole. */
export interface SeenScan {
  readonly status: 'scanning' | 'success' | 'failed' | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** The times of a scan that a verdict was read of, as the upstream told them. */
export type KnownScan = Pick<SeenScan, 'startTime' | 'endTime'>;

/**
 * Whether a scan has times after the sending. One that ended just before is within the margin of clocks; where it is the one that was
 * known before, it is not new all the same.
 * @param sentAt in the upstream's clock
 */
export function isNewScan({ startTime, endTime }: KnownScan, sentAt: Date, known: KnownScan | null): boolean {
  if (known && isSame(startTime, known.startTime) && isSame(endTime, known.endTime)) return false;
  const since = sinceSending(sentAt);
  return [startTime, endTime].some((moment) => moment !== null && moment >= since);
}

const isSame = (a: Date | null, b: Date | null): boolean => a?.getTime() === b?.getTime();

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
export function fateOf(scan: SeenScan, sentAt: Date, known: KnownScan | null = null): Fate {
  if (scan.status === 'scanning' || scan.status === 'success') return 'taken';
  if (isNewScan(scan, sentAt, known)) return 'taken';
  return scan.status === 'failed' ? 'not_carried_out' : 'unclear';
}
