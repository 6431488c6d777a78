/** What one answer said, as far as it said anything. Texts are cut to a bound and hold no secret. */
export interface Evidence {
  readonly httpStatus: number | null;
  readonly errorCode: string | null;
  readonly errorText: string | null;
  readonly upstreamRequestId: string | null;
}

export const noEvidence: Evidence = { httpStatus: null, errorCode: null, errorText: null, upstreamRequestId: null };

export type ThrottlePolicy = 'user' | 'ip' | 'api';

export type UnknownCause =
  | 'timeout'
  | 'reset'
  | 'gateway'
  | 'truncated'
  /** A 2xx that carries an error code, or a list that is none. */
  | 'contradiction'
  /** An agent or query error on several clusters: some of them may have been taken. */
  | 'partial'
  | 'lease_expired';

/**
 * What one call came to: every answer and every transport error is exactly one of these, and a client never throws
 * for the network. The classes are those of the vendor's error table.
 */
export type CallOutcome =
  | { readonly kind: 'accepted'; readonly evidence: Evidence }
  /** `limit` and `windowMs` as the text of the 429 says them; `retryAfterMs` from the header, where there is one. */
  | {
      readonly kind: 'throttled';
      readonly policy: ThrottlePolicy;
      readonly limit: number | null;
      readonly windowMs: number | null;
      readonly retryAfterMs: number | null;
      readonly evidence: Evidence;
    }
  /** Surely not carried out. `slow`: an agent is offline, which does not pass in seconds. */
  | {
      readonly kind: 'unavailable';
      readonly costsAttempt: boolean;
      readonly slow: boolean;
      readonly evidence: Evidence;
    }
  /** Says something about us or the endpoint, and nothing about the targets. */
  | { readonly kind: 'blocked'; readonly by: 'authentication' | 'endpoint'; readonly evidence: Evidence }
  /** `task`: the whole task is at fault; `cluster`: one cluster may be to blame, so several are split. */
  | {
      readonly kind: 'rejected';
      readonly blames: 'task' | 'cluster';
      readonly alarm: boolean;
      readonly evidence: Evidence;
    }
  /** Nothing left this host: proven by the request-start hook, never guessed from an error code. */
  | { readonly kind: 'not_sent'; readonly cause: NotSentCause; readonly evidence: Evidence }
  /** It may have been carried out, and must be looked up before anything is sent again. */
  | { readonly kind: 'unknown'; readonly cause: UnknownCause; readonly evidence: Evidence };

export type NotSentCause =
  /** No connection: refused, unreachable, timed out before the request's start. */
  | 'connect'
  /** The token could not be had from IAM, for reasons other than a refused password. */
  | 'token'
  /** Too little of the call's lease was left at the moment of writing. */
  | 'lease'
  /** Between its start and its sending the lane was paused, or one of its requests cancelled. */
  | 'held'
  /** The service is stopping. */
  | 'shutdown';

export type CallOutcomeKind = CallOutcome['kind'];
