import type { CallOutcome, Evidence } from '../domain/call-outcome.js';
import type { ScanType } from '../domain/scan-type.js';
import type { TriggerType } from '../domain/schedule.js';
import type { RetryRange } from './wire.js';

/** What every call to the upstream is made with. */
export interface UpstreamCall {
  /** Name of the credential, as in the credentials file. */
  readonly credential: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  /** The upstream's clock as well as it is known: database time plus the credential's offset. Signatures and token expiry use it. */
  readonly at: Date;
  /** Asked once the connection stands, and never rejects; false drops the call as `not_sent` (`held`). */
  readonly mayLeave?: () => Promise<boolean>;
  /** Asked in the tick in which the first byte is written; false drops the call as `not_sent` (`lease`). */
  readonly mayStart: () => boolean;
}

/** One RetryTask call, ready to be sent. Its row is committed already. */
export interface RetryCall extends UpstreamCall {
  readonly taskId: string;
  readonly range: RetryRange;
  /** The bytes whose hash stands in the call's row. */
  readonly body: string;
}

/** One page of a list. Beyond these bounds HSS answers an error, so nothing is sent and the outcome is `rejected`. */
export interface ListQuery extends UpstreamCall {
  /** 0 to 2,000,000. */
  readonly offset: number;
  /** 10 to 200. */
  readonly limit: number;
}

export const SCAN_STATUSES = ['scanning', 'success', 'failed'] as const;
export type ScanStatus = (typeof SCAN_STATUSES)[number];

export const TASK_STATUSES = ['ready', 'running', 'finished'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** The clusters of one scan task. */
export interface ResourceQuery extends ListQuery {
  readonly taskId: string;
  readonly clusterId?: string;
  readonly scanStatus?: ScanStatus;
}

/** The scan tasks of a project. None of their statuses says "failed": `failedClusters` does. */
export interface TaskQuery extends ListQuery {
  readonly taskId?: string;
  readonly taskStatus?: TaskStatus;
  /** A part of its name. */
  readonly taskName?: string;
  readonly triggerType?: TriggerType;
  /** Created then or later, by the upstream's clock. */
  readonly createdFrom?: Date;
  /** Those that scan one of these. */
  readonly scanTypes?: readonly ScanType[];
}

/** A cluster of a scan task. Whatever the upstream left out, or said in words that we do not know, is null. */
export interface ClusterScan {
  readonly clusterId: string;
  readonly scanStatus: ScanStatus | null;
  /** By the upstream's clock, as all times of a list. */
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  readonly items: readonly ScanItem[];
}

export interface ScanItem {
  readonly scanType: ScanType | null;
  readonly status: ScanStatus | null;
  /** Cleaned and cut like evidence: it may be stored and shown. */
  readonly failedReason: string | null;
}

export interface TaskSummary {
  readonly taskId: string;
  readonly taskStatus: TaskStatus | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  /** Until it is finished, by the upstream's estimate. */
  readonly estimatedMinutes: number | null;
  readonly scanningClusters: number | null;
  readonly successClusters: number | null;
  readonly failedClusters: number | null;
}

export interface ListPage<T> {
  /** A live list drifts between two pages: the same row may come twice, and one may be missed. */
  readonly rows: readonly T[];
  /** Rows as they came. Where it is more than `rows`, some had no usable id, and to be absent from `rows` proves nothing. */
  readonly rowsSeen: number;
  /** In all pages, as far as the upstream said. */
  readonly total: number | null;
  /** Where the next page begins; null: this was the last. */
  readonly nextOffset: number | null;
}

/** Any end of a call but the one that was wished for. */
export type FailedOutcome = Exclude<CallOutcome, { kind: 'accepted' }>;

/**
 * `read` is the only outcome that says something about clusters and tasks. `unknown` means that nothing could be read: a list may be
 * asked for again without harm, within its lane. Where an outcome speaks of clusters or attempts (`blames`, `costsAttempt`), it
 * means those of a RetryTask call, and nothing here.
 */
export type ListOutcome<T> =
  FailedOutcome | { readonly kind: 'read'; readonly page: ListPage<T>; readonly evidence: Evidence };

export interface CallAnswer<Outcome> {
  readonly outcome: Outcome;
  /**
   * Whether the request had started, proven by the client's hook: only then can the upstream have counted it, and the slot stays
   * taken for a window. `blocked` and `rejected` occur both ways: a refused password and a wrong certificate are found out before.
   */
  readonly sent: boolean;
  /** Monotonic, from the moment of sending to the end of the answer; null where nothing was sent. */
  readonly durationMs: number | null;
  /** The `Date` header of the answer. */
  readonly serverDate: Date | null;
}

export type RetryAnswer = CallAnswer<CallOutcome>;
export type ListAnswer<T> = CallAnswer<ListOutcome<T>>;

/** The upstream, as the rest of the service sees it. Never throws for the network and never retries by itself. */
export abstract class ScanTasks {
  abstract retry(call: RetryCall): Promise<RetryAnswer>;
  abstract listTaskResources(query: ResourceQuery): Promise<ListAnswer<ClusterScan>>;
  abstract listTasks(query: TaskQuery): Promise<ListAnswer<TaskSummary>>;
  /** Forgets a cached token that the upstream refused; the next call gets a new one. */
  abstract renewCredential(credential: string): void;
  /**
   * For good. Calls that have not started end as `not_sent`; those that have may end within the grace, and are cut off after it:
   * what they came to is then `unknown`, and written down.
   */
  abstract close(graceMs: number): Promise<void>;
}
