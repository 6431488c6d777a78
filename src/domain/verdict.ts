import { isNewScan, type KnownScan, type SeenScan } from './fate.js';

/**
 * What an accepted call has shown of itself in the lists, in the order in which it becomes known. `none`; `seen`: its task was seen
 * running after it, a lookup has found it carried out, or a cluster of it scans or has not failed any more; `renewed`: a row has times
 * after its sending. `kept`: a whole pass after the grace has found `seen` and no new times, so that the upstream leaves times as they
 * were. `phantom`: it was looked at, and nothing until the end.
 */
export const CALL_EFFECTS = ['none', 'seen', 'renewed', 'kept', 'phantom'] as const;
export type CallEffect = (typeof CALL_EFFECTS)[number];

/** An accepted call, as far as a verdict on one of its clusters depends on it. */
export interface WatchedCall {
  /** In the upstream's clock. */
  readonly sentAt: Date;
  readonly acceptedAt: Date;
  readonly effect: CallEffect;
  /** The scan that was known of the cluster before. */
  readonly known: KnownScan | null;
}

export interface Judgement {
  /** Null: there is none yet. */
  readonly verdict: 'succeeded' | 'scan_failed' | null;
  /** What the row shows of the call. */
  readonly effect: 'none' | 'seen' | 'renewed';
}

/**
 * What a row of the upstream means for a cluster of an accepted call. A row that tells of a time before the sending may be the old one: a
 * success counts after the grace, since the cluster had failed before; a failure only where the call has shown its effect and the upstream
 * has left the times of others as they were too (`kept`).
 * @param now of the same clock as `acceptedAt`
 */
export function judgeScan(
  scan: SeenScan & { readonly itemsScan: boolean },
  call: WatchedCall,
  now: Date,
  graceMs: number,
): Judgement {
  const isNew = isNewScan(scan, call.sentAt, call.known);
  const effect = isNew ? 'renewed' : 'none';
  if (scan.status === 'scanning' || scan.itemsScan) return { verdict: null, effect: isNew ? 'renewed' : 'seen' };
  const isOverGrace = now.getTime() - call.acceptedAt.getTime() >= graceMs;
  if (scan.status === 'success') {
    return isNew || isOverGrace
      ? { verdict: 'succeeded', effect: isNew ? 'renewed' : 'seen' }
      : { verdict: null, effect };
  }
  const isFinal = scan.status === 'failed' && (isNew || (isOverGrace && call.effect === 'kept'));
  return { verdict: isFinal ? 'scan_failed' : null, effect };
}

/** Digits, ids and addresses differ between clusters of which the same is wrong. */
export function normalisedReason(reason: string | null): string {
  const text = (reason ?? '')
    .toLowerCase()
    .replace(/[0-9a-f]{8,}(-[0-9a-f]+)*|\d+/gu, '#')
    .replace(/\s+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON);
  return text || 'none';
}

const MAX_REASON = 80;

/** Why, by scan type, of the items that failed; null where the upstream gave no reason. */
export type FailedReasons = Readonly<Record<string, string | null>>;

interface ScannedItem {
  readonly scanType: string | null;
  readonly status: string | null;
  readonly failedReason: string | null;
}

export function failedReasons(items: readonly ScannedItem[]): FailedReasons {
  return Object.fromEntries(
    items.flatMap(({ scanType, status, failedReason }) =>
      scanType !== null && status === 'failed' ? [[scanType, failedReason]] : [],
    ),
  );
}
