import type { CallOutcomeKind } from './call-outcome.js';

/** A call is born `sending`, ends as the kind of its outcome, and an unknown one may learn its fate later. */
export const CALL_STATES = [
  'sending',
  'accepted',
  'partly_accepted',
  'throttled',
  'unavailable',
  'blocked',
  'rejected',
  'not_sent',
  'unknown',
  'not_carried_out',
] as const;
export type CallState = (typeof CALL_STATES)[number];

/** How a call that was sent, or was to be, may end: the name of its outcome. */
export type CallEnd = CallOutcomeKind;

/** HSS takes 1 to 200 clusters a call. */
export const MAX_CLUSTERS_PER_CALL = 200;
