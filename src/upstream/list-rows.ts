import { SCAN_TYPES } from '../domain/scan-type.js';
import { isId } from './ids.js';
import { isJsonObject } from './json.js';
import {
  SCAN_STATUSES,
  TASK_STATUSES,
  type ClusterScan,
  type ScanItem,
  type ScanStatus,
  type TaskSummary,
} from './scan-tasks.js';

/** Cleans a text of the upstream, so that it may be stored and shown. */
type SafeText = (raw: string) => string | null;

/** Reads one row of a list; null for one that names nothing. Every field may be absent or of another type than documented. */
export type RowReader<T> = (row: unknown, safeText: SafeText) => T | null;

/**
 * A time before 1973 is none in milliseconds: a zero for "not yet", or a time in seconds. Taken at its word it would be older than any
 * call, and "nothing has changed since the call" would be read out of it.
 */
const EARLIEST_MS = 100_000_000_000;
/** The last one that is written with four digits of a year: Postgres would not take the others as they come. */
const LATEST_MS = Date.UTC(9999, 11, 31);

export const readClusterScan: RowReader<ClusterScan> = (row, safeText) => {
  if (!isJsonObject(row) || !isId(row['cluster_id'])) return null;
  const items: unknown = row['scan_detail_list'];
  return {
    clusterId: row['cluster_id'],
    scanStatus: scanStatusOf(row['scan_status']),
    startTime: timeOf(row['start_time']),
    endTime: timeOf(row['end_time']),
    items: Array.isArray(items) ? items.flatMap((item) => readItem(item, safeText) ?? []) : [],
  };
};

export const readTaskSummary: RowReader<TaskSummary> = (row) => {
  if (!isJsonObject(row) || !isId(row['task_id'])) return null;
  const info = isJsonObject(row['cluster_scan_info']) ? row['cluster_scan_info'] : {};
  return {
    taskId: row['task_id'],
    taskStatus: oneOf(TASK_STATUSES, row['task_status']),
    startTime: timeOf(row['start_time']),
    endTime: timeOf(row['end_time']),
    estimatedMinutes: numberOf(row['estimated_time']),
    scanningClusters: countOf(info['scanning_cluster_num']),
    successClusters: countOf(info['success_cluster_num']),
    failedClusters: countOf(info['failed_cluster_num']),
  };
};

export function countOf(value: unknown): number | null {
  const count = numberOf(value);
  return Number.isSafeInteger(count) ? count : null;
}

/** An item of a type that we do not know stays: that something failed must not be lost with it. */
function readItem(item: unknown, safeText: SafeText): ScanItem | null {
  if (!isJsonObject(item)) return null;
  const reason = item['failed_reason'];
  return {
    scanType: oneOf(SCAN_TYPES, item['scan_type']),
    status: scanStatusOf(item['status']),
    failedReason: typeof reason === 'string' ? safeText(reason) : null,
  };
}

function scanStatusOf(value: unknown): ScanStatus | null {
  return oneOf(SCAN_STATUSES, value);
}

function oneOf<T extends string>(known: readonly T[], value: unknown): T | null {
  return known.find((one) => one === value) ?? null;
}

function timeOf(value: unknown): Date | null {
  const ms = numberOf(value);
  return ms !== null && ms >= EARLIEST_MS && ms <= LATEST_MS ? new Date(ms) : null;
}

/** Not negative and finite. Digits in a string count: so do servers write numbers of 64 bits that JavaScript may read them. */
function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && number >= 0 && number < Infinity ? number : null;
}
