import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  callbackError,
  decideCallback,
  messageIdOf,
  type CallbackAnswer,
  type CallbackDecision,
  type CallbackPolicy,
} from '../../../src/domain/callback.js';

const policy: CallbackPolicy = { backoff: { baseMs: 5_000, capMs: 3_600_000 }, giveUpAfterMs: 86_400_000 };
const answered = (status: number, retryAfterMs: number | null = null): CallbackAnswer => ({
  kind: 'answered',
  status,
  retryAfterMs,
});
const timeout: CallbackAnswer = { kind: 'failed', error: 'timeout' };
const whole = (): number => 1;
const first = { tries: 1, ageMs: 0 };

it('has one message id for all tries of a request', () => {
  expect(messageIdOf('0199')).toBe('msg_0199');
});

it.each<[CallbackAnswer, string | null]>([
  [answered(200), null],
  [answered(204), null],
  [answered(299), null],
  [answered(301), 'redirected'],
  [answered(307), 'redirected'],
  [answered(400), 'bad_status'],
  [answered(410), 'gone'],
  [answered(429), 'bad_status'],
  [answered(503), 'bad_status'],
  [timeout, 'timeout'],
])('reads %j as %s', (answer, error) => {
  expect(callbackError(answer)).toBe(error);
});

describe('a try', () => {
  it.each<[string, CallbackAnswer, { tries: number; ageMs: number }, CallbackDecision]>([
    ['is the last where the receiver has taken it', answered(204), first, { kind: 'delivered' }],
    ['is the last where the receiver is gone for good', answered(410), first, { kind: 'given_up' }],
    ['is followed by another where there was no answer', timeout, first, { kind: 'again', waitMs: 5_000 }],
    ['that was redirected has failed', answered(302), { tries: 3, ageMs: 0 }, { kind: 'again', waitMs: 20_000 }],
    ['waits no longer than the cap', answered(500), { tries: 40, ageMs: 0 }, { kind: 'again', waitMs: 3_600_000 }],
    ['waits as long as it is asked to', answered(429, 60_000), first, { kind: 'again', waitMs: 60_000 }],
    ['does not come sooner for that', answered(503, 1), first, { kind: 'again', waitMs: 5_000 }],
    ['waits no longer than the cap for that', answered(503, 9e9), first, { kind: 'again', waitMs: 3_600_000 }],
    ['asks only those who are busy', answered(500, 60_000), first, { kind: 'again', waitMs: 5_000 }],
    ['is the last where the next would be too late', timeout, { tries: 1, ageMs: 86_395_001 }, { kind: 'given_up' }],
    ['may come at the last moment', timeout, { tries: 1, ageMs: 86_395_000 }, { kind: 'again', waitMs: 5_000 }],
  ])('%s', (_title, answer, situation, expected) => {
    expect(decideCallback(answer, situation, policy, whole)).toEqual(expected);
  });

  it('never leads to more tries than its time allows, whatever the receiver says', () => {
    const any = fc.oneof(
      fc.integer({ min: 300, max: 599 }).map((status) => answered(status, status)),
      fc.constant(timeout),
    );
    fc.assert(
      fc.property(any, fc.double({ min: 0, max: 0.999, noNaN: true }), (answer, chance) => {
        let ageMs = 0;
        for (let tries = 1; tries < 100; tries += 1) {
          const decision = decideCallback(answer, { tries, ageMs }, policy, () => chance);
          if (decision.kind === 'given_up') return;
          if (decision.kind === 'again') ageMs += decision.waitMs;
          expect(ageMs).toBeLessThanOrEqual(policy.giveUpAfterMs);
        }
        throw new Error('never given up');
      }),
    );
  });
});
