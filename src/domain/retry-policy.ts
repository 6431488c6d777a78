export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
}

/** How the fate of unknown calls is found out. */
export interface LookupPolicy {
  /**
   * How long an effect may take to show. Before a lost call is looked up, from the end of its lease: an old failure may only be a new one
   * that does not show yet. Before old times count for a verdict, from the acceptance.
   */
  readonly graceMs: number;
  /** Between tries, where the upstream cannot be read. */
  readonly backoff: BackoffPolicy;
  readonly giveUpAfterMs: number;
  /** What becomes of the targets of a call whose fate cannot be found out. */
  readonly giveUpAs: 'unverified' | 'send_again';
}

/** How what has failed of a scan task is found out before a large call. */
export interface ListingPolicy {
  /** How long it counts, and how long it is waited for at most. */
  readonly keepMs: number;
  /** How long large requests wait for its next page, beyond the lane's window. */
  readonly holdMs: number;
}

/** How the scans of accepted calls are watched. */
export interface VerdictPolicy {
  /** Between two looks at a scan task that is running. */
  readonly poll: BackoffPolicy;
  /** The clusters of one that never comes to rest are read after so long all the same. */
  readonly readThroughMs: number;
  /** Between a failed scan and the next round of its target. */
  readonly roundPauseMs: number;
}

/** The numbers that a decision depends on. `version` goes with every decision into the record. */
export interface RetryPolicy {
  readonly version: string;
  readonly backoff: BackoffPolicy;
  /** For an agent that is offline: it does not come back within seconds. */
  readonly slowBackoff: BackoffPolicy;
  readonly maxAttempts: number;
  /** How long a call that is not full waits for company while slots are free; see docs/choosing.md. */
  readonly lingerMs: number;
  /** What a lease adds to the sum of a call's time-outs. */
  readonly leaseMarginMs: number;
  readonly verdictTimeoutMs: number;
  readonly lookup: LookupPolicy;
  readonly listing: ListingPolicy;
  readonly verdict: VerdictPolicy;
  readonly maxAgeMs: number;
  /** Failures in a row that open a lane, and for how long. */
  readonly breaker: { readonly failures: number; readonly openMs: number };
  /** How long a credential stays open after two 401 in a row; six lock the key upstream. */
  readonly credentialOpenMs: number;
  /** Calls spent to find the culprits of one first rejection. */
  readonly splitBudget: number;
  /** Where a 429 names no window. */
  readonly defaultPauseMs: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const defaultRetryPolicy: RetryPolicy = {
  version: '1',
  backoff: { baseMs: 15 * SECOND, capMs: 15 * MINUTE },
  slowBackoff: { baseMs: 5 * MINUTE, capMs: HOUR },
  maxAttempts: 5,
  lingerMs: 250,
  leaseMarginMs: 15 * SECOND,
  verdictTimeoutMs: 6 * HOUR,
  lookup: {
    graceMs: 90 * SECOND,
    backoff: { baseMs: 15 * SECOND, capMs: 5 * MINUTE },
    giveUpAfterMs: 2 * HOUR,
    giveUpAs: 'unverified',
  },
  listing: { keepMs: 5 * MINUTE, holdMs: 30 * SECOND },
  verdict: {
    poll: { baseMs: 30 * SECOND, capMs: 10 * MINUTE },
    readThroughMs: 30 * MINUTE,
    roundPauseMs: 5 * MINUTE,
  },
  maxAgeMs: 7 * 24 * HOUR,
  breaker: { failures: 5, openMs: MINUTE },
  credentialOpenMs: 5 * MINUTE,
  splitBudget: 20,
  defaultPauseMs: MINUTE,
};
