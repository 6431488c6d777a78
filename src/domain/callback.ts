import { backoffMs } from './backoff.js';
import type { BackoffPolicy } from './retry-policy.js';

/** `waiting` for the end of its request; `pending` until somebody takes it, or nobody did for too long. */
export const CALLBACK_STATES = ['waiting', 'pending', 'delivered', 'given_up'] as const;
export type CallbackState = (typeof CALLBACK_STATES)[number];

/** Why a try told nobody: public and permanent, as error codes are. */
export const CALLBACK_ERRORS = [
  'address_not_allowed',
  'name_not_resolved',
  'connection_failed',
  'tls_failed',
  'connection_lost',
  'timeout',
  'redirected',
  'gone',
  'bad_status',
  'interrupted',
] as const;
export type CallbackError = (typeof CALLBACK_ERRORS)[number];

/** Up to the status: what a receiver says beyond it is nobody's business. */
export type CallbackAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  | { readonly kind: 'failed'; readonly error: Exclude<CallbackError, 'redirected' | 'gone' | 'bad_status'> };

export interface CallbackPolicy {
  readonly backoff: BackoffPolicy;
  /** From the end of the request on. */
  readonly giveUpAfterMs: number;
}

export const defaultCallbackPolicy: CallbackPolicy = {
  backoff: { baseMs: 5_000, capMs: 3_600_000 },
  giveUpAfterMs: 86_400_000,
};

export type CallbackDecision =
  { readonly kind: 'delivered' } | { readonly kind: 'given_up' } | { readonly kind: 'again'; readonly waitMs: number };

/** The same over all tries, so that a receiver knows a repetition by it. */
export const messageIdOf = (requestId: string): string => `msg_${requestId}`;

/** Null where the receiver has taken it. A redirect is not followed: it could lead to where no callback may go. */
export function callbackError(answer: CallbackAnswer): CallbackError | null {
  if (answer.kind === 'failed') return answer.error;
  const { status } = answer;
  if (status >= 200 && status < 300) return null;
  if (status === 410) return 'gone';
  return status >= 300 && status < 400 ? 'redirected' : 'bad_status';
}

/**
 * What a try leads to.
 *
 * @param tries so far, this one included
 * @param ageMs since the end of the request
 */
export function decideCallback(
  answer: CallbackAnswer,
  { tries, ageMs }: { readonly tries: number; readonly ageMs: number },
  policy: CallbackPolicy,
  random: () => number,
): CallbackDecision {
  const error = callbackError(answer);
  if (error === null) return { kind: 'delivered' };
  // The standard's word for "never again".
  if (error === 'gone') return { kind: 'given_up' };
  const waitMs = Math.max(backoffMs(tries, policy.backoff, random), askedWaitMs(answer, policy));
  return ageMs + waitMs > policy.giveUpAfterMs ? { kind: 'given_up' } : { kind: 'again', waitMs };
}

/** What a receiver that is there, but busy, asks for; never more than the longest wait. */
function askedWaitMs(answer: CallbackAnswer, { backoff }: CallbackPolicy): number {
  const busy = answer.kind === 'answered' && (answer.status === 429 || answer.status === 503);
  return busy ? Math.min(answer.retryAfterMs ?? 0, backoff.capMs) : 0;
}
