import type { ThrottlePolicy } from '../domain/call-outcome.js';

interface Throttle {
  readonly policy: ThrottlePolicy;
  readonly limit: number | null;
  readonly windowMs: number | null;
}

const DAY = 86_400_000;
const UNIT_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: DAY } as const;

/** The longest pause that an answer may impose: one absurd number must not stop a lane for years. */
const MAX_PAUSE_MS = DAY;

const RATE =
  /policy\s+(user|ip|api)\s+over\s+ratelimit(?:\s*,\s*limit\s*:\s*(\d{1,9})\s*,\s*time\s*:\s*(\d{1,9})\s*(second|minute|hour|day)s?\b)?/i;

/**
 * @param text such as `... policy user over ratelimit,limit:5,time:1 minute`.
 * @returns the user's own policy where the text names none: it pauses the least.
 */
export function parseThrottle(text: string): Throttle {
  const [, policy = 'user', limit, time, unit] = RATE.exec(text) ?? [];
  const calls = Number(limit ?? 0);
  const windowMs = unit ? Number(time) * UNIT_MS[unit.toLowerCase() as keyof typeof UNIT_MS] : 0;
  return {
    policy: policy.toLowerCase() as ThrottlePolicy,
    limit: calls > 0 ? calls : null,
    windowMs: windowMs > 0 ? Math.min(windowMs, MAX_PAUSE_MS) : null,
  };
}
