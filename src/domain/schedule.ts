import { parseDuration } from './duration.js';
import { MAX_LISTED } from './listing.js';
import type { Priority } from './priority.js';
import type { ScanType } from './scan-type.js';

export const TRIGGER_TYPES = ['manual', 'schedule'] as const;
export type TriggerType = (typeof TRIGGER_TYPES)[number];

export const CATCH_UPS = ['once', 'skip'] as const;
/** What becomes of due times that passed while nobody could take them: one fire for the latest, or none. */
export type CatchUp = (typeof CATCH_UPS)[number];

/** These scan tasks, or those of the project that were created within so many hours and suit the rest. */
export type Selection =
  | { readonly taskIds: readonly string[] }
  | {
      readonly lookbackHours: number;
      /** A part of the name, as the upstream compares it. */
      readonly namePattern?: string;
      readonly triggerType?: TriggerType;
      /** Scan tasks with one of these; and only failures of these count, and are scanned again. */
      readonly scanTypes?: readonly ScanType[];
    };

/** How often a cluster may be scanned again, whoever asks for it. */
export interface ClusterLimits {
  readonly triesPerDay?: number;
  readonly minPause?: string;
}

export interface CronTiming {
  readonly expression: string;
  readonly timezone: string;
}

/** What a schedule says besides its name and project, as callers write it, with its defaults filled in. */
export interface ScheduleTerms {
  readonly selection: Selection;
  /** Exactly one of these two. */
  readonly cron: CronTiming | null;
  readonly every: string | null;
  readonly jitter: string | null;
  readonly priority: Priority;
  readonly maxRounds: number;
  readonly perCluster: ClusterLimits | null;
  /** Scan tasks with fewer failed clusters are left out. */
  readonly minFailed: number;
  /** Of a fire, over all its scan tasks. */
  readonly maxClusters: number;
  readonly catchUp: CatchUp;
}

export const BOUNDS = {
  /** Each takes a list call of its own. */
  taskIds: 100,
  lookbackHours: 90 * 24,
  nameCharacters: 100,
  everyMs: { min: 60_000, max: 30 * 86_400_000 },
  jitterMs: { min: 1_000, max: 3_600_000 },
  minPauseMs: { min: 60_000, max: 30 * 86_400_000 },
  triesPerDay: 100,
  minFailed: 1_000_000,
  maxClusters: 100_000,
} as const;

/** More scan tasks of one fire are not read: at five calls a minute these take half a day already. */
export const MAX_TASKS_READ = 2_000;
/** More scan tasks are not looked at. */
export const MAX_TASKS_SEEN = 10_000;
/** More failed clusters of one scan task are not looked at. */
export const MAX_CLUSTERS_OF_TASK = MAX_LISTED;

export const FIRE_KINDS = ['scheduled', 'manual'] as const;
export type FireKind = (typeof FIRE_KINDS)[number];
export const FIRE_STATES = ['open', 'done', 'skipped', 'failed'] as const;
export type FireState = (typeof FIRE_STATES)[number];

/** Why a due time came to nothing. */
export type SkipReason = 'still_open' | 'missed';
/** Why a fire was not read to its end. */
export type FailReason = 'not_readable' | 'refused' | 'not_read_in_time' | 'deleted';

/** Why a scan task was left out. */
export type TaskLeftOut =
  'no_failures' | 'below_min_failed' | 'too_many' | 'max_clusters' | 'refused' | 'not_readable' | 'nothing_left';

/** Why a failed cluster was left out. */
export const CLUSTERS_LEFT_OUT = [
  'below_min_failed',
  'live',
  'other_scan_types',
  'tried_too_often',
  'tried_too_recently',
  'max_clusters',
  'open_targets_limit',
  'too_many',
] as const;
export type ClusterLeftOut = (typeof CLUSTERS_LEFT_OUT)[number];

/** Of terms that were checked when they came in. */
export const msOf = (duration: string | undefined | null): number => parseDuration(duration ?? '') ?? 0;
