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

/** @param value seconds or an HTTP date, which is read against the answer's own `Date`: the host's clock is another one. */
export function retryAfterMs(value: string | null, serverDate: Date | null): number | null {
  if (value === null) return null;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1_000), MAX_PAUSE_MS);
  const until = parseHttpDate(text);
  if (!until || !serverDate) return null;
  return Math.min(Math.max(until.getTime() - serverDate.getTime(), 0), MAX_PAUSE_MS);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** The one format that servers may send (RFC 9110, IMF-fixdate): `Date.parse` alone would read `5` as a date. */
export function parseHttpDate(value: string | null): Date | null {
  if (value === null || !HTTP_DATE.test(value.trim())) return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}
