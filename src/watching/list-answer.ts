import type { ClusterScan, ListAnswer, TaskSummary } from '../upstream/scan-tasks.js';

export type AnyList = ListAnswer<ClusterScan> | ListAnswer<TaskSummary>;

export type ListCallAnswer = AnyList & {
  /** The upstream's clock minus the database's, as this answer showed it; null where it did not. */
  readonly clockOffsetMs: number | null;
};
