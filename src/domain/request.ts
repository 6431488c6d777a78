import type { Priority } from './priority.js';
import type { ScanType } from './scan-type.js';

export const REQUEST_STATES = ['open', 'finished', 'cancelled'] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

export const REQUEST_SOURCES = ['api', 'schedule', 'replay'] as const;
export type RequestSource = (typeof REQUEST_SOURCES)[number];

/** A scan that fails as often helps nobody, and costs calls of others. */
export const MAX_ROUNDS = 5;

export const REQUEST_RANGES = ['all_failed_cluster', 'specific_cluster'] as const;
export type RequestRange = (typeof REQUEST_RANGES)[number];

/** A caller's wish, complete: defaults filled in, clusters distinct and sorted. */
export interface Submission {
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly range: RequestRange;
  /** Empty for `all_failed_cluster`. */
  readonly clusterIds: readonly string[];
  /** Empty: every failed scan item. */
  readonly scanTypes: readonly ScanType[];
  readonly priority: Priority;
  readonly deadline: Date | null;
  /** How often a target whose scan fails is sent at most, each time with a verdict in between; 1 to 5. */
  readonly maxRounds: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Where its end is told. */
  readonly callbackUrl: string | null;
}

/**
 * One text for all bodies that mean the same: order of fields, of clusters and of labels, repeated clusters and spelled-out
 * defaults do not count. Its hash is kept with the Idempotency-Key.
 */
export function submissionMeaning(submission: Submission): string {
  const { labels, deadline, callbackUrl, ...rest } = submission;
  const sortedLabels = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    rest.projectId,
    rest.enterpriseProjectId,
    rest.taskId,
    rest.range,
    rest.clusterIds,
    rest.scanTypes,
    rest.priority,
    deadline?.getTime() ?? null,
    sortedLabels,
    // Only where it is not the default: keys that are older than it are kept with the text without it.
    ...(rest.maxRounds === 1 ? [] : [rest.maxRounds]),
    // Only where there is one: keys that are known already keep their meaning.
    ...(callbackUrl === null ? [] : [callbackUrl]),
  ]);
}
