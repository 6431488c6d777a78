import { assertNever } from './assert-never.js';
import { backoffMs } from './backoff.js';
import type { CallEnd } from './call.js';
import type { CallOutcome, ThrottlePolicy } from './call-outcome.js';
import type { ToldLimit } from './learned-limit.js';
import type { RetryPolicy } from './retry-policy.js';
import type { TargetResult } from './target.js';

/** What is known of a call beside its outcome when it is decided on. */
export interface CallContext {
  readonly rangeType: 'all_failed_cluster' | 'specific_cluster';
  readonly clusterCount: number;
  /** The most attempts that a target of the call has used before it. */
  readonly attempts: number;
  /** Failures of the lane in a row, before this one. */
  readonly failureStreak: number;
  /** False where nothing left this host: the upstream cannot have counted the call. */
  readonly sent: boolean;
}

export type LaneDecision =
  /** The upstream answered as it should: a half-open breaker closes. */
  | { readonly kind: 'healthy' }
  /** One more failure in a row: a breaker may open. */
  | { readonly kind: 'suspect' }
  /** Open at once: no call can succeed before somebody mends it. */
  | { readonly kind: 'open' }
  /** The credential was refused; the lane is as good as before. */
  | { readonly kind: 'unauthenticated' }
  | {
      readonly kind: 'pause';
      readonly scope: ThrottlePolicy;
      readonly pauseMs: number;
      /** What the answer told: so many calls in so long. */
      readonly told: ToldLimit | null;
    }
  | { readonly kind: 'unchanged' };

export type TargetsDecision =
  /** They stay in the call until a verdict comes, or its time is over. */
  | { readonly kind: 'stay' }
  /** They wait again, all for the same time so that they stay together; those without attempts left end as `giveUpAs`. */
  | {
      readonly kind: 'wait';
      readonly waitMs: number;
      readonly costsAttempt: boolean;
      readonly giveUpAs: Extract<TargetResult, 'exhausted'>;
    }
  /** Two parts (`splitRejected`), each in a call of its own, as far as the split's budget goes. */
  | { readonly kind: 'split' }
  | { readonly kind: 'end'; readonly result: Extract<TargetResult, 'rejected'> };

/** What to do with the lane, the call and its targets. SQL applies it. */
export interface Decision {
  readonly call: CallEnd;
  /** When the call's slot is free: one window after the answer, or at once where nothing was sent. */
  readonly slot: 'after_window' | 'now';
  readonly lane: LaneDecision;
  readonly targets: TargetsDecision;
  /** An operator should look: nothing that rescan does by itself will mend it. */
  readonly alarm: boolean;
}

/** @param random in [0, 1) */
export function decide(
  outcome: CallOutcome,
  context: CallContext,
  policy: RetryPolicy,
  random: () => number,
): Decision {
  const base = { call: outcome.kind, slot: context.sent ? 'after_window' : 'now', alarm: false } as const;
  switch (outcome.kind) {
    case 'accepted':
      return { ...base, lane: { kind: 'healthy' }, targets: { kind: 'stay' } };
    case 'unknown':
      // An agent or query error is an answer of an upstream that is well.
      return {
        ...base,
        slot: 'after_window',
        lane: { kind: outcome.cause === 'partial' ? 'healthy' : 'suspect' },
        targets: { kind: 'stay' },
      };
    case 'throttled':
      return { ...base, lane: pause(outcome, policy, random), targets: again(0) };
    case 'unavailable':
      return { ...base, ...unavailable(outcome, context, policy, random) };
    case 'blocked':
      return {
        ...base,
        lane: { kind: outcome.by === 'authentication' ? 'unauthenticated' : 'open' },
        targets: again(0),
        alarm: outcome.by === 'endpoint',
      };
    case 'rejected':
      return { ...base, lane: { kind: 'healthy' }, targets: rejected(outcome, context), alarm: outcome.alarm };
    case 'not_sent':
      return { ...base, slot: 'now', ...notSent(outcome, context, policy, random) };
    default:
      return assertNever(outcome);
  }
}

const again = (waitMs: number, costsAttempt = false): TargetsDecision => ({
  kind: 'wait',
  waitMs,
  costsAttempt,
  giveUpAs: 'exhausted',
});

/** The upstream's window restarts with each refused call, so the whole of it is waited out, and a little more against herds. */
function pause(
  outcome: Extract<CallOutcome, { kind: 'throttled' }>,
  policy: RetryPolicy,
  random: () => number,
): LaneDecision {
  const windowMs = Math.max(outcome.windowMs ?? policy.defaultPauseMs, outcome.retryAfterMs ?? 0);
  const pauseMs = Math.floor(windowMs * (1 + random() * 0.1));
  const { limit: calls, windowMs: toldMs } = outcome;
  const told = calls === null || toldMs === null ? null : { calls, windowMs: toldMs };
  return { kind: 'pause', scope: outcome.policy, pauseMs, told };
}

/** An attempt is charged only for what says something about the target; gateway trouble says something about the lane. */
function unavailable(
  outcome: Extract<CallOutcome, { kind: 'unavailable' }>,
  context: CallContext,
  policy: RetryPolicy,
  random: () => number,
): Pick<Decision, 'lane' | 'targets'> {
  const backoff = outcome.slow ? policy.slowBackoff : policy.backoff;
  const tries = outcome.costsAttempt ? context.attempts : context.failureStreak;
  return {
    lane: { kind: outcome.costsAttempt ? 'healthy' : 'suspect' },
    targets: again(backoffMs(tries + 1, backoff, random), outcome.costsAttempt),
  };
}

function rejected(outcome: Extract<CallOutcome, { kind: 'rejected' }>, context: CallContext): TargetsDecision {
  if (outcome.blames === 'task' || context.clusterCount <= 1) return { kind: 'end', result: 'rejected' };
  // One call for all that had failed: its clusters are known, and go by their ids next; of each nothing was said yet.
  return context.rangeType === 'specific_cluster' ? { kind: 'split' } : again(0);
}

function notSent(
  outcome: Extract<CallOutcome, { kind: 'not_sent' }>,
  context: CallContext,
  policy: RetryPolicy,
  random: () => number,
): Pick<Decision, 'lane' | 'targets'> {
  switch (outcome.cause) {
    case 'connect':
    case 'token':
      return {
        lane: { kind: 'suspect' },
        targets: again(backoffMs(context.failureStreak + 1, policy.backoff, random)),
      };
    case 'lease':
    case 'held':
    case 'shutdown':
      return { lane: { kind: 'unchanged' }, targets: again(0) };
    default:
      return assertNever(outcome.cause);
  }
}
