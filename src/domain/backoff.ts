import type { BackoffPolicy } from './retry-policy.js';

/**
 * Milliseconds to wait before try number `attempt` + 1, between half of a doubling ceiling and the whole of it.
 *
 * Equal jitter and not full: an immediate repeat would spend a scarce call, and the floor gives the upstream time.
 * @param attempt tries so far, at least 1
 */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: () => number): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (Math.max(attempt, 1) - 1));
  return Math.floor(ceiling / 2 + random() * (ceiling / 2));
}
