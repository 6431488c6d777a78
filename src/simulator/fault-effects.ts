import { type Answer, emptyOk, errorAnswer } from './answers.js';
import type { DecisiveEffect } from './faults.js';
import type { Work } from './fault-rules.js';
import { type ThrottlePolicy, throttleText } from './rate-limit.js';

/** What goes over the wire. */
export type Delivery =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** The head and half of the body, then the connection is cut. */
  | { readonly kind: 'truncated'; readonly answer: Answer }
  | { readonly kind: 'huge'; readonly status: number; readonly bytes: number }
  | { readonly kind: 'slow'; readonly status: number; readonly everyMs: number }
  | { readonly kind: 'reset' }
  | { readonly kind: 'no_answer' };

interface Workshop {
  readonly requestId: string;
  /** Carries the call out, or the half of it, and says what would be answered. */
  readonly carryOut: (share: Exclude<Work, 'none'>) => Answer;
  readonly expireToken: () => void;
}

/** What becomes of a call that a fault rule hits: how much of it is done, and what its caller sees. */
export function applyEffect(effect: DecisiveEffect, { requestId, carryOut, expireToken }: Workshop): Delivery {
  const done = (share: Work): Answer | null => (share === 'none' ? null : carryOut(share));
  switch (effect.kind) {
    case 'throttle':
      return plain(throttleAnswer(effect.policy ?? 'user', effect, requestId));
    case 'error': {
      done(effect.work ?? 'none');
      const answer = errorAnswer({ ...effect, code: effect.code ?? '' }, requestId);
      return plain({ ...answer, headers: { ...answer.headers, ...effect.headers } });
    }
    case 'reset':
    case 'no_answer':
      done(effect.work);
      return { kind: effect.kind };
    case 'truncate':
      return { kind: 'truncated', answer: done(effect.work) ?? emptyOk };
    case 'huge_body':
      done(effect.work ?? 'none');
      return { kind: 'huge', status: effect.status ?? 200, bytes: effect.bytes };
    case 'slow_body':
      done(effect.work ?? 'none');
      return { kind: 'slow', status: effect.status ?? 200, everyMs: effect.everyMs };
    case 'expire_token':
      expireToken();
      return plain(errorAnswer({ status: 401, code: 'APIGW.0307' }, requestId));
    case 'half':
      return plain(carryOut('half'));
    case 'poison':
      return plain(errorAnswer({ status: effect.status ?? 400, code: effect.code ?? 'HSS.0001' }, requestId));
    default:
      return effect satisfies never;
  }
}

export function plain(answer: Answer): Delivery {
  return { kind: 'answer', answer };
}

interface ThrottleNumbers {
  readonly limit?: number;
  readonly windowMs?: number;
  readonly retryAfter?: string;
}

export function throttleAnswer(policy: ThrottlePolicy, numbers: ThrottleNumbers, requestId: string): Answer {
  const message = throttleText(policy, { calls: numbers.limit ?? 5, windowMs: numbers.windowMs ?? 60_000 });
  const answer = errorAnswer({ status: 429, code: 'APIGW.0308', message }, requestId);
  if (numbers.retryAfter === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, 'Retry-After': numbers.retryAfter } };
}
