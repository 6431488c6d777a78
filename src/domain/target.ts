/** What a target came to. */
export const TARGET_RESULTS = [
  'succeeded',
  'scan_failed',
  'not_failed',
  'not_found',
  'rejected',
  'exhausted',
  'expired',
  'cancelled',
  'unverified',
] as const;
export type TargetResult = (typeof TARGET_RESULTS)[number];

/** What is worth asking for again: all that is not well. */
export const REPLAYABLE_RESULTS = TARGET_RESULTS.filter((result) => result !== 'succeeded' && result !== 'not_failed');

/** A target's state on the wire; the middle three are those of its call. */
export const TARGET_STATES = ['waiting', 'sending', 'unknown', 'accepted', 'done'] as const;
export type TargetState = (typeof TARGET_STATES)[number];

/** Where a target is counted in its request: a state that is not its end, or its result. */
export type CountField = Exclude<TargetState, 'done'> | TargetResult;
export const COUNT_FIELDS: readonly CountField[] = ['waiting', 'sending', 'unknown', 'accepted', ...TARGET_RESULTS];

/** Why it came to its result: a stable code and a sentence. */
export interface Reason {
  readonly code: string;
  readonly text: string | null;
}
