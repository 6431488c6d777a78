import { assertNever } from './assert-never.js';
import type { LaneDecision } from './decide.js';
import type { RetryPolicy } from './retry-policy.js';

/** All that decides whether a lane may send, at one moment of the database's clock. */
export interface LaneSituation {
  readonly now: Date;
  /** Calls a window; null: no limit. */
  readonly calls: number | null;
  readonly slotsInUse: number;
  /** When the next slot becomes free; null where that is not known before an answer. */
  readonly nextSlotAt: Date | null;
  readonly pausedUntil: Date | null;
  readonly operatorPaused: boolean;
  /** Null: the breaker is closed. Past: it is half-open, and one call, the probe, decides. */
  readonly breakerOpenUntil: Date | null;
  /** Calls of this lane that are being sent. */
  readonly sendingOfLane: number;
  readonly credential: {
    /** False: one call of any operation at a time until one is not 401. */
    readonly confirmed: boolean;
    readonly openUntil: Date | null;
    readonly sending: number;
  };
}

export const LANE_BLOCKS = ['slots', 'pause', 'breaker', 'credential', 'operator'] as const;
export type LaneBlock = (typeof LANE_BLOCKS)[number];

export type LaneGate =
  | { readonly open: true }
  /** `until`: the earliest moment at which that may change by itself; null where only an answer or an operator changes it. */
  | { readonly open: false; readonly blockedBy: LaneBlock; readonly until: Date | null };

/** Whether a call may leave now. The order is that in which an operator would want to be told. */
export function laneGate(lane: LaneSituation): LaneGate {
  if (lane.operatorPaused) return { open: false, blockedBy: 'operator', until: null };
  if (isAfter(lane.credential.openUntil, lane.now)) return closed('credential', lane.credential.openUntil);
  if (isAfter(lane.pausedUntil, lane.now)) return closed('pause', lane.pausedUntil);
  if (isAfter(lane.breakerOpenUntil, lane.now)) return closed('breaker', lane.breakerOpenUntil);
  if (lane.breakerOpenUntil && lane.sendingOfLane > 0) return closed('breaker', null);
  if (!lane.credential.confirmed && lane.credential.sending > 0) return closed('credential', null);
  if (lane.calls !== null && lane.slotsInUse >= lane.calls) return closed('slots', lane.nextSlotAt);
  return { open: true };
}

/** As it is once a call has started in it. */
export const withCall = (lane: LaneSituation): LaneSituation => ({
  ...lane,
  slotsInUse: lane.slotsInUse + 1,
  sendingOfLane: lane.sendingOfLane + 1,
  credential: { ...lane.credential, sending: lane.credential.sending + 1 },
});

const closed = (blockedBy: LaneBlock, until: Date | null): LaneGate => ({ open: false, blockedBy, until });

const isAfter = (moment: Date | null, now: Date): boolean => moment !== null && moment > now;

export interface LaneHealth {
  readonly breakerOpenUntil: Date | null;
  readonly failureStreak: number;
}

/** The breaker after a call: opens after some failures in a row, or at once where the probe fails; one good call closes it. */
export function nextHealth(lane: LaneHealth, decision: LaneDecision, policy: RetryPolicy, now: Date): LaneHealth {
  const failureStreak = lane.failureStreak + 1;
  const open: LaneHealth = { breakerOpenUntil: new Date(now.getTime() + policy.breaker.openMs), failureStreak };
  switch (decision.kind) {
    case 'healthy':
      return { breakerOpenUntil: null, failureStreak: 0 };
    case 'suspect':
      return lane.breakerOpenUntil || failureStreak >= policy.breaker.failures
        ? open
        : { breakerOpenUntil: null, failureStreak };
    case 'open':
      return open;
    case 'pause':
    case 'unauthenticated':
    case 'unchanged':
      return lane;
    default:
      return assertNever(decision);
  }
}

export interface CredentialHealth {
  readonly confirmed: boolean;
  /** Refusals (401) in a row. */
  readonly failures: number;
  readonly openUntil: Date | null;
  /** When the last refusal was counted. */
  readonly refusedAt: Date | null;
}

/**
 * Two refusals in a row open a credential: six failed signatures lock the key upstream. Every other answer confirms it. Of calls that
 * were out together when a token died, only the first refusal counts: the others left with the same token.
 * @param startedAt when the call that was answered began
 */
export function nextCredential(
  credential: CredentialHealth,
  answer: 'refused' | 'answered' | 'none',
  policy: RetryPolicy,
  { now, startedAt }: { readonly now: Date; readonly startedAt: Date },
): CredentialHealth {
  const { refusedAt } = credential;
  // A moment that is still to come was written before the clock was set back, and says nothing.
  if (refusedAt && refusedAt <= now && startedAt <= refusedAt) return credential;
  switch (answer) {
    case 'none':
      return credential;
    case 'answered':
      return { confirmed: true, failures: 0, openUntil: null, refusedAt: credential.refusedAt };
    case 'refused': {
      const failures = credential.failures + 1;
      const openUntil = failures >= 2 ? new Date(now.getTime() + policy.credentialOpenMs) : null;
      return { confirmed: false, failures, openUntil, refusedAt: now };
    }
    default:
      return assertNever(answer);
  }
}

/** What a waiting target waits for. */
export const WAITING_FOR = [
  'slot',
  'backoff',
  'live_cluster',
  'scan',
  'listing',
  'pause',
  'breaker',
  'credential',
] as const;
export type WaitingFor = (typeof WAITING_FOR)[number];

/** What keeps work that is due from leaving, where several lanes may take it: the one that may send, or else the first. */
export function waitingForLanes(gates: readonly LaneGate[]): WaitingFor {
  const [gate] = gates;
  if (!gate || gates.some(({ open }) => open)) return 'slot';
  return gate.open ? 'slot' : WAITING_FOR_OF[gate.blockedBy];
}

const WAITING_FOR_OF = {
  slots: 'slot',
  pause: 'pause',
  operator: 'pause',
  breaker: 'breaker',
  credential: 'credential',
} as const satisfies Record<LaneBlock, WaitingFor>;
