import type { ThrottlePolicy } from './call-outcome.js';

/** Calls a window, where there is a limit. */
export const MOST_CALLS = 1_000_000;

/** What a 429 has taught: the limit was lowered, and rises by one with each window that stays quiet. */
export interface LearnedLimit {
  readonly calls: number;
  /** When it was lowered: what began before that says nothing new. */
  readonly at: Date;
  /** The end of the pause, from which the quiet windows count. */
  readonly quietSince: Date;
}

/** @param configured calls a window; null: no limit */
export function limitInForce(
  configured: number | null,
  learned: LearnedLimit | null,
  windowMs: number,
  now: Date,
): number | null {
  if (!learned) return configured;
  const quietWindows = Math.max(0, Math.floor((now.getTime() - learned.quietSince.getTime()) / windowMs));
  const risen = learned.calls + quietWindows;
  return configured === null ? risen : Math.min(configured, risen);
}

/** What a 429 says: so many calls in so long. */
export interface ToldLimit {
  readonly calls: number;
  readonly windowMs: number;
}

/**
 * The limit after a 429: what its text says, in the lane's own window, or one less where that is no less. A text "by ip" or "by api"
 * tells the limit of all who share the address or the endpoint.
 * @returns null where there was no limit and none is told
 */
export function loweredLimit(
  inForce: number | null,
  windowMs: number,
  told: ToldLimit | null,
  policy: ThrottlePolicy,
): number | null {
  const own = told && policy === 'user' ? Math.floor((told.calls * windowMs) / told.windowMs) : null;
  if (inForce === null) return own === null ? null : within(own);
  return within(own !== null && own < inForce ? own : inForce - 1);
}

/** What an operator may set as well, whatever a text says. */
const within = (calls: number): number => Math.min(MOST_CALLS, Math.max(1, calls));
