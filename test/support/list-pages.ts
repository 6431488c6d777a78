import { noEvidence } from '../../src/domain/call-outcome.js';
import type { ClusterScan, ListPage, TaskSummary } from '../../src/upstream/scan-tasks.js';
import type { ListCallAnswer } from '../../src/watching/list-answer.js';
import { TASK } from './calling-world.js';

export const about = { sent: true, durationMs: 3, serverDate: null, clockOffsetMs: null };
export const read = (page: ListPage<ClusterScan> | ListPage<TaskSummary>): ListCallAnswer =>
  ({ outcome: { kind: 'read', page, evidence: noEvidence }, ...about }) as ListCallAnswer;

/** A page of the list of tasks with the one that is asked for. */
export const tasks = (
  counts: { failed: number; success?: number; scanning?: number },
  taskStatus: 'finished' | 'running' = 'finished',
): ListCallAnswer => {
  const { failed, success = 0, scanning = 0 } = counts;
  const times = { startTime: null, endTime: null, estimatedMinutes: null };
  const row = {
    taskId: TASK,
    taskStatus,
    ...times,
    scanningClusters: scanning,
    successClusters: success,
    failedClusters: failed,
  };
  return read({ rows: [row], rowsSeen: 1, total: 1, nextOffset: null });
};
/** A page of the running tasks. @param unreadable rows that had no usable id */
export const runningTasks = (
  taskIds: readonly string[],
  unreadable = 0,
  nextOffset: number | null = null,
): ListCallAnswer => {
  const unsaid = { startTime: null, endTime: null, estimatedMinutes: null };
  const counts = { scanningClusters: null, successClusters: null, failedClusters: null };
  const rows = taskIds.map((taskId) => ({ taskId, taskStatus: 'running' as const, ...unsaid, ...counts }));
  const rowsSeen = rows.length + unreadable;
  return read({ rows, rowsSeen, total: nextOffset === null ? rowsSeen : nextOffset + 1, nextOffset });
};
export const scan = (
  clusterId: string,
  scanStatus: ClusterScan['scanStatus'] = 'failed',
  changed: Partial<ClusterScan> = {},
): ClusterScan => ({
  clusterId,
  scanStatus,
  startTime: null,
  endTime: null,
  items: scanStatus === 'failed' ? [{ scanType: 'benchmark', status: 'failed', failedReason: 'timeout' }] : [],
  ...changed,
});
/** A page of a task's clusters. */
export const clusters = (rows: ClusterScan[], total = rows.length, nextOffset: number | null = null): ListCallAnswer =>
  read({ rows, rowsSeen: rows.length, total, nextOffset });
