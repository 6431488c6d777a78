import type { ClusterScan, ListAnswer, TaskSummary } from '../upstream/scan-tasks.js';

export type LookupAnswer = ListAnswer<ClusterScan> | ListAnswer<TaskSummary>;
