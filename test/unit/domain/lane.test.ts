import { describe, expect, it } from '@jest/globals';
import {
  laneGate,
  nextCredential,
  nextHealth,
  waitingForLanes,
  withCall,
  type LaneGate,
  type LaneSituation,
} from '../../../src/domain/lane.js';
import { defaultRetryPolicy as policy } from '../../../src/domain/retry-policy.js';

const now = new Date('2026-01-01T00:00:00Z');
const later = new Date(now.getTime() + 10_000);
const earlier = new Date(now.getTime() - 10_000);

const idle: LaneSituation = {
  now,
  calls: 5,
  slotsInUse: 0,
  nextSlotAt: null,
  pausedUntil: null,
  operatorPaused: false,
  breakerOpenUntil: null,
  sendingOfLane: 0,
  credential: { confirmed: true, openUntil: null, sending: 0 },
};

describe('withCall', () => {
  it.each<[string, Partial<LaneSituation>, LaneGate]>([
    ['leaves the gate open while a slot is free', { slotsInUse: 3 }, { open: true }],
    [
      'closes it until the next slot',
      { slotsInUse: 4, nextSlotAt: later },
      { open: false, blockedBy: 'slots', until: later },
    ],
    [
      'closes it until the answer where the call is the probe of a breaker',
      { breakerOpenUntil: earlier },
      { open: false, blockedBy: 'breaker', until: null },
    ],
    [
      'closes it until the answer where the credential is not confirmed',
      { credential: { confirmed: false, openUntil: null, sending: 0 } },
      { open: false, blockedBy: 'credential', until: null },
    ],
  ])('%s', (_title, changed, expected) => {
    expect(laneGate(withCall({ ...idle, ...changed }))).toEqual(expected);
  });
});

describe('laneGate', () => {
  it.each<[string, Partial<LaneSituation>, LaneGate]>([
    ['is open while slots are free', { slotsInUse: 4 }, { open: true }],
    [
      'waits for a slot when all are in use',
      { slotsInUse: 5, nextSlotAt: later },
      { open: false, blockedBy: 'slots', until: later },
    ],
    [
      'cannot say when a slot is free while all calls are out',
      { slotsInUse: 5 },
      { open: false, blockedBy: 'slots', until: null },
    ],
    ['knows no limit where it was lifted', { calls: null, slotsInUse: 500 }, { open: true }],
    ['waits for the end of a pause', { pausedUntil: later }, { open: false, blockedBy: 'pause', until: later }],
    ['forgets a pause that is over', { pausedUntil: earlier }, { open: true }],
    [
      'waits for an operator, whatever else is free',
      { operatorPaused: true },
      { open: false, blockedBy: 'operator', until: null },
    ],
    ['waits for an open breaker', { breakerOpenUntil: later }, { open: false, blockedBy: 'breaker', until: later }],
    ['lets one probe through a half-open breaker', { breakerOpenUntil: earlier }, { open: true }],
    [
      'and no second while the probe is out',
      { breakerOpenUntil: earlier, sendingOfLane: 1 },
      { open: false, blockedBy: 'breaker', until: null },
    ],
    [
      'waits for an open credential',
      { credential: { confirmed: false, openUntil: later, sending: 0 } },
      { open: false, blockedBy: 'credential', until: later },
    ],
    [
      'lets one call try a credential that is not confirmed',
      { credential: { confirmed: false, openUntil: null, sending: 0 } },
      { open: true },
    ],
    [
      'and no second, of any operation',
      { credential: { confirmed: false, openUntil: null, sending: 1 } },
      { open: false, blockedBy: 'credential', until: null },
    ],
  ])('%s', (_title, changed, expected) => {
    expect(laneGate({ ...idle, ...changed })).toEqual(expected);
  });
});

describe('the breaker', () => {
  const open = new Date(now.getTime() + policy.breaker.openMs);
  const suspect = { kind: 'suspect' } as const;

  it('opens after some failures in a row', () => {
    const fourth = { breakerOpenUntil: null, failureStreak: policy.breaker.failures - 2 };
    expect(nextHealth(fourth, suspect, policy, now)).toEqual({ breakerOpenUntil: null, failureStreak: 4 });
    expect(nextHealth({ ...fourth, failureStreak: 4 }, suspect, policy, now)).toEqual({
      breakerOpenUntil: open,
      failureStreak: 5,
    });
  });

  it('opens again when the probe fails, and closes when it succeeds', () => {
    const halfOpen = { breakerOpenUntil: earlier, failureStreak: 1 };
    expect(nextHealth(halfOpen, suspect, policy, now).breakerOpenUntil).toEqual(open);
    expect(nextHealth(halfOpen, { kind: 'healthy' }, policy, now)).toEqual({
      breakerOpenUntil: null,
      failureStreak: 0,
    });
  });

  it('opens at once where no call can succeed', () => {
    const healthy = { breakerOpenUntil: null, failureStreak: 0 };
    expect(nextHealth(healthy, { kind: 'open' }, policy, now).breakerOpenUntil).toEqual(open);
  });

  it.each([
    { kind: 'pause', scope: 'user', pauseMs: 1, told: null },
    { kind: 'unauthenticated' },
    { kind: 'unchanged' },
  ] as const)('learns nothing from $kind', (decision) => {
    const health = { breakerOpenUntil: earlier, failureStreak: 3 };
    expect(nextHealth(health, decision, policy, now)).toBe(health);
  });
});

describe('a credential', () => {
  const fresh = { confirmed: false, failures: 0, openUntil: null, refusedAt: null };
  const answered = { now, startedAt: earlier };

  it('is confirmed by any answer that is no refusal', () => {
    expect(nextCredential({ ...fresh, failures: 1 }, 'answered', policy, answered)).toEqual({
      confirmed: true,
      failures: 0,
      openUntil: null,
      refusedAt: null,
    });
  });

  it('opens at the second refusal in a row, long before the sixth locks the key', () => {
    const once = nextCredential({ ...fresh, confirmed: true }, 'refused', policy, answered);
    expect(once).toEqual({ confirmed: false, failures: 1, openUntil: null, refusedAt: now });
    const twice = nextCredential(once, 'refused', policy, { now: later, startedAt: later });
    expect(twice).toMatchObject({ openUntil: new Date(later.getTime() + policy.credentialOpenMs), refusedAt: later });
  });

  it('learns nothing more from calls that were out when it was refused', () => {
    const refused = nextCredential({ ...fresh, confirmed: true }, 'refused', policy, answered);
    expect(nextCredential(refused, 'refused', policy, { now: later, startedAt: earlier })).toBe(refused);
    expect(nextCredential(refused, 'answered', policy, { now: later, startedAt: now })).toBe(refused);
  });

  it('does not believe a refusal that is still to come: the clock was set back', () => {
    const ahead = { ...fresh, failures: 1, refusedAt: later };
    expect(nextCredential(ahead, 'refused', policy, answered).openUntil).not.toBeNull();
  });

  it('is as before where nobody answered', () => {
    expect(nextCredential(fresh, 'none', policy, answered)).toBe(fresh);
  });
});

it.each<[string, LaneGate[], string]>([
  ['a slot, where one lane is open', [{ open: false, blockedBy: 'pause', until: later }, { open: true }], 'slot'],
  ['a pause, also an operator’s', [{ open: false, blockedBy: 'operator', until: null }], 'pause'],
  ['the breaker', [{ open: false, blockedBy: 'breaker', until: later }], 'breaker'],
  ['the credential', [{ open: false, blockedBy: 'credential', until: null }], 'credential'],
  ['a slot, where nothing is known', [], 'slot'],
])('due work waits for %s', (_title, gates, expected) => {
  expect(waitingForLanes(gates)).toBe(expected);
});
