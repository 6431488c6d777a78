import type { Operation } from './routing.js';

export const throttlePolicies = ['user', 'ip', 'api'] as const;
export type ThrottlePolicy = (typeof throttlePolicies)[number];

export interface Limit {
  readonly calls: number;
  readonly windowMs: number;
}

/** For each operation: what one user (credential), one address and everybody together may call. Null: no limit. */
export type PolicyLimits = Readonly<Record<ThrottlePolicy, Limit | null>>;

export interface Limits extends PolicyLimits {
  /** What differs for single operations. */
  readonly operations: Readonly<Partial<Record<Operation, Partial<PolicyLimits>>>>;
  /** Send Retry-After with a 429: the upstream documents none. */
  readonly retryAfter: boolean;
}

export const limitsOff: Limits = { user: null, ip: null, api: null, operations: {}, retryAfter: false };

interface Throttled {
  readonly policy: ThrottlePolicy;
  readonly limit: Limit;
  readonly retryAfterMs: number;
}

/**
 * A sliding log that remembers only as many arrivals as the limit allows: a call is refused when the one `calls`
 * places before it is still inside the window. Refused calls are arrivals too, so hammering never gets through.
 */
export class SlidingLog {
  private readonly arrivals: number[] = [];

  /** Null when the call may pass, otherwise the milliseconds until the window would let one pass. */
  arrive(limit: Limit, now: number): number | null {
    const oldest = this.arrivals.length >= limit.calls ? this.arrivals[this.arrivals.length - limit.calls] : undefined;
    this.arrivals.push(now);
    while (this.arrivals.length > Math.max(limit.calls, 1)) this.arrivals.shift();
    if (limit.calls < 1) return limit.windowMs;
    if (oldest === undefined || now - oldest >= limit.windowMs) return null;
    return limit.windowMs - (now - (this.arrivals[0] ?? now));
  }
}

export class RateLimits {
  private readonly logs = new Map<string, SlidingLog>();

  constructor(private limits: Limits) {}

  current(): Limits {
    return this.limits;
  }

  /** Starts with empty logs: an old log may remember fewer calls than a higher limit would have to count. */
  replace(limits: Limits): void {
    this.limits = limits;
    this.logs.clear();
  }

  /** Counts the call against all three policies, whichever of them refuses it. */
  arrive(operation: Operation, credential: string, address: string, now: number): Throttled | null {
    const keys = { user: credential, ip: address, api: '' };
    let refused: Throttled | null = null;
    for (const policy of throttlePolicies) {
      const limit = this.limitOf(operation, policy);
      if (!limit) continue;
      const waitMs = this.log(`${policy} ${operation} ${keys[policy]}`).arrive(limit, now);
      if (waitMs !== null) refused ??= { policy, limit, retryAfterMs: waitMs };
    }
    return refused;
  }

  private limitOf(operation: Operation, policy: ThrottlePolicy): Limit | null {
    const own = this.limits.operations[operation]?.[policy];
    return own === undefined ? this.limits[policy] : own;
  }

  private log(key: string): SlidingLog {
    let log = this.logs.get(key);
    if (!log) this.logs.set(key, (log = new SlidingLog()));
    return log;
  }
}

/** The gateway's own words; a client is to read limit and window out of them. Windows are told in whole seconds or minutes. */
export function throttleText(policy: ThrottlePolicy, limit: Limit): string {
  const seconds = Math.ceil(limit.windowMs / 1_000);
  const time = seconds % 60 === 0 ? `${seconds / 60} minute` : `${seconds} second`;
  return `The throttling threshold has been reached: policy ${policy} over ratelimit,limit:${limit.calls},time:${time}`;
}
