import type { CallOutcome } from '../domain/call-outcome.js';
import type { RetryRange } from './wire.js';

/** One RetryTask call, ready to be sent. Its row is committed already. */
export interface RetryCall {
  /** Name of the credential, as in the credentials file. */
  readonly credential: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly range: RetryRange;
  /** The bytes whose hash stands in the call's row. */
  readonly body: string;
  /** The upstream's clock as well as it is known: database time plus the credential's offset. Signatures and token expiry use it. */
  readonly at: Date;
  /** Asked in the tick in which the first byte is written; false drops the call as `not_sent` (`lease`). */
  readonly mayStart: () => boolean;
}

export interface RetryAnswer {
  readonly outcome: CallOutcome;
  /** Monotonic, from the moment of sending to the end of the answer; null where nothing was sent. */
  readonly durationMs: number | null;
  /** The `Date` header of the answer. */
  readonly serverDate: Date | null;
}

/** The upstream, as the rest of the service sees it. Never throws for the network and never retries by itself. */
export abstract class ScanTasks {
  abstract retry(call: RetryCall): Promise<RetryAnswer>;
  /** Forgets a cached token that the upstream refused; the next call gets a new one. */
  abstract renewCredential(credential: string): void;
  abstract close(): Promise<void>;
}
