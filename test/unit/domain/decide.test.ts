import { describe, expect, it } from '@jest/globals';
import { noEvidence, type CallOutcome } from '../../../src/domain/call-outcome.js';
import { decide, type CallContext, type Decision } from '../../../src/domain/decide.js';
import { defaultRetryPolicy, type RetryPolicy } from '../../../src/domain/retry-policy.js';

const policy: RetryPolicy = {
  ...defaultRetryPolicy,
  backoff: { baseMs: 1_000, capMs: 60_000 },
  slowBackoff: { baseMs: 100_000, capMs: 400_000 },
};
const context: CallContext = {
  rangeType: 'specific_cluster',
  clusterCount: 200,
  attempts: 0,
  failureStreak: 0,
  sent: true,
};
const noJitter = (): number => 0;
const evidence = noEvidence;

const decided = (outcome: CallOutcome, changed: Partial<CallContext> = {}, random = noJitter): Decision =>
  decide(outcome, { ...context, ...changed }, policy, random);

const again = (waitMs: number, costsAttempt = false): Decision['targets'] => ({
  kind: 'wait',
  waitMs,
  costsAttempt,
  giveUpAs: 'exhausted',
});
const throttled = {
  kind: 'throttled',
  policy: 'user',
  limit: 5,
  windowMs: 60_000,
  retryAfterMs: null,
  evidence,
} as const;

describe('decide', () => {
  it('lets the targets of an accepted call wait for their verdict', () => {
    expect(decided({ kind: 'accepted', evidence })).toEqual({
      call: 'accepted',
      slot: 'after_window',
      lane: { kind: 'healthy' },
      targets: { kind: 'stay' },
      alarm: false,
    });
  });

  it('holds the targets of a call whose fate is unknown, and counts it against the window', () => {
    expect(decided({ kind: 'unknown', cause: 'timeout', evidence }, { sent: false })).toEqual({
      call: 'unknown',
      slot: 'after_window',
      lane: { kind: 'suspect' },
      targets: { kind: 'stay' },
      alarm: false,
    });
  });

  it.each<[string, CallOutcome, Decision['lane'], Decision['targets']]>([
    [
      'pauses for the window that the 429 names',
      throttled,
      { kind: 'pause', scope: 'user', pauseMs: 60_000, told: { calls: 5, windowMs: 60_000 } },
      again(0),
    ],
    [
      'pauses for Retry-After where it is longer',
      { ...throttled, retryAfterMs: 90_000 },
      { kind: 'pause', scope: 'user', pauseMs: 90_000, told: { calls: 5, windowMs: 60_000 } },
      again(0),
    ],
    [
      'pauses for the default where the 429 says nothing',
      { ...throttled, policy: 'ip', windowMs: null },
      { kind: 'pause', scope: 'ip', pauseMs: policy.defaultPauseMs, told: null },
      again(0),
    ],
    [
      'charges no attempt for a gateway in trouble',
      { kind: 'unavailable', costsAttempt: false, slow: false, evidence },
      { kind: 'suspect' },
      again(500),
    ],
    [
      'charges an attempt for an agent that is offline, and waits long',
      { kind: 'unavailable', costsAttempt: true, slow: true, evidence },
      { kind: 'healthy' },
      again(50_000, true),
    ],
    [
      'rejects nothing when the endpoint is at fault, and opens the lane',
      { kind: 'blocked', by: 'endpoint', evidence },
      { kind: 'open' },
      again(0),
    ],
    [
      'sends refused targets in a new call, and blames the credential alone',
      { kind: 'blocked', by: 'authentication', evidence },
      { kind: 'unauthenticated' },
      again(0),
    ],
    [
      'splits a call that one of its clusters may be to blame for',
      { kind: 'rejected', blames: 'cluster', alarm: false, evidence },
      { kind: 'healthy' },
      { kind: 'split' },
    ],
    [
      'rejects all targets of a task that is at fault itself',
      { kind: 'rejected', blames: 'task', alarm: false, evidence },
      { kind: 'healthy' },
      { kind: 'end', result: 'rejected' },
    ],
    [
      'backs off where no connection came about',
      { kind: 'not_sent', cause: 'connect', evidence },
      { kind: 'suspect' },
      again(500),
    ],
    [
      'sends at once what a lease was too short for',
      { kind: 'not_sent', cause: 'lease', evidence },
      { kind: 'unchanged' },
      again(0),
    ],
  ])('%s', (_title, outcome, lane, targets) => {
    expect(decided(outcome)).toMatchObject({ call: outcome.kind, lane, targets });
  });

  it.each<[string, Partial<CallContext>]>([
    ['one cluster alone', { clusterCount: 1 }],
    ['a whole task', { rangeType: 'all_failed_cluster', clusterCount: 0 }],
  ])('cannot split %s', (_title, changed) => {
    const { targets } = decided({ kind: 'rejected', blames: 'cluster', alarm: false, evidence }, changed);
    expect(targets).toEqual({ kind: 'end', result: 'rejected' });
  });

  it('frees the slot of a call that never left', () => {
    expect(decided({ kind: 'not_sent', cause: 'connect', evidence }, { sent: false }).slot).toBe('now');
    expect(decided({ kind: 'blocked', by: 'authentication', evidence }, { sent: false }).slot).toBe('now');
    expect(decided(throttled).slot).toBe('after_window');
  });

  it('doubles the wait with each failure of the lane, or each attempt of the targets', () => {
    const gateway = { kind: 'unavailable', costsAttempt: false, slow: false, evidence } as const;
    expect([0, 1, 2, 9].map((failureStreak) => decided(gateway, { failureStreak }).targets)).toEqual(
      [500, 1_000, 2_000, 30_000].map((waitMs) => again(waitMs)),
    );
    const agent = { kind: 'unavailable', costsAttempt: true, slow: true, evidence } as const;
    expect([0, 1, 4].map((attempts) => decided(agent, { attempts }).targets)).toEqual(
      [50_000, 100_000, 200_000].map((waitMs) => again(waitMs, true)),
    );
  });

  it('pauses a little longer than the window, never shorter', () => {
    expect(decided(throttled, {}, () => 0.999).lane).toMatchObject({ kind: 'pause', scope: 'user', pauseMs: 65_994 });
  });

  it.each<[CallOutcome, boolean]>([
    [{ kind: 'blocked', by: 'endpoint', evidence }, true],
    [{ kind: 'blocked', by: 'authentication', evidence }, false],
    [{ kind: 'rejected', blames: 'task', alarm: true, evidence }, true],
    [{ kind: 'accepted', evidence }, false],
  ])('alarms where nothing mends it by itself: %j', (outcome, alarm) => {
    expect(decided(outcome).alarm).toBe(alarm);
  });
});
