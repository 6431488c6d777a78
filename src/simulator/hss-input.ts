import {
  type Fields,
  fields,
  InvalidInput,
  integer,
  listOf,
  oneOf,
  optional,
  type Reader,
  required,
  text,
} from './reading.js';
import {
  type ClusterType,
  clusterTypes,
  type ScanStatus,
  scanStatuses,
  type ScanType,
  scanTypes,
} from './scan-task.js';

export interface HssCall {
  readonly projectId: string;
  readonly taskId: string;
  readonly query: URLSearchParams;
  /** The parsed body; undefined when there was none, or none that could be parsed. */
  readonly body: unknown;
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

export interface WantedCluster {
  readonly clusterId: string;
  readonly scanTypes: readonly ScanType[] | null;
}

export type RetryRange =
  | { readonly kind: 'all_failed_cluster' }
  | { readonly kind: 'specific_cluster'; readonly clusters: readonly WantedCluster[] };

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const scanTypeList = listOf(oneOf(scanTypes), { min: 1, max: 3 });
const id = (max: number): Reader<string> => text({ max });

/** Project and task id as they stand in the path; a call without a task has an empty task id. */
export function checkPath(call: HssCall, withTask: boolean): void {
  pathId(call.projectId, 'project_id', 256);
  if (withTask) pathId(call.taskId, 'task_id', 64);
}

function pathId(value: string, what: string, max: number): void {
  text({ max })(value, what);
  if (!VISIBLE_ASCII.test(value) || value === '.' || value === '..') throw new InvalidInput(`${what} is malformed`);
}

/** `0`, the default enterprise project, unless told otherwise. */
export function readEnterpriseProject(query: URLSearchParams): string {
  return text()(query.get('enterprise_project_id') ?? '0', 'enterprise_project_id');
}

export function readPage(query: URLSearchParams): Page {
  return {
    offset: numberIn(query, 'offset', 0, 0, 2_000_000),
    limit: numberIn(query, 'limit', 10, 10, 200),
  };
}

function numberIn(query: URLSearchParams, name: string, byDefault: number, min: number, max: number): number {
  const raw = query.get(name);
  if (raw === null) return byDefault;
  return integer({ min, max })(/^\d{1,9}$/.test(raw) ? Number(raw) : NaN, name);
}

function readInfo(body: Fields): Fields {
  return optional(body, 'cluster_scan_info', fields) ?? {};
}

function readBody(call: HssCall): Fields {
  const body = fields(call.body, 'body');
  required(body, 'task_type', oneOf(['cluster_scan']));
  return body;
}

export function readRetryRange(call: HssCall): RetryRange {
  const info = required(readBody(call), 'cluster_scan_info', fields);
  const kind = required(info, 'range_type', oneOf(['all_failed_cluster', 'specific_cluster']));
  const clusters = optional(info, 'cluster_info_list', listOf(readWantedCluster, { min: 1, max: 200 }));
  if (kind === 'all_failed_cluster') return { kind };
  if (!clusters) throw new InvalidInput('cluster_info_list is missing');
  return { kind, clusters };
}

const readWantedCluster: Reader<WantedCluster> = (value, what) => {
  const wanted = fields(value, what);
  return {
    clusterId: required(wanted, 'cluster_id', id(64)),
    scanTypes: optional(wanted, 'scan_type_list', scanTypeList) ?? null,
  };
};

export interface TaskFilter {
  readonly taskId: string | undefined;
  readonly taskName: string | undefined;
  readonly createdFrom: number | undefined;
  readonly createdTo: number | undefined;
  readonly triggerType: 'manual' | 'schedule' | undefined;
  readonly taskStatus: 'ready' | 'running' | 'finished' | undefined;
  readonly ascending: boolean;
  readonly scanTypes: readonly ScanType[] | undefined;
}

export function readTaskFilter(call: HssCall): TaskFilter {
  const body = readBody(call);
  optional(body, 'sort_key', oneOf(['start_time']));
  return {
    taskId: optional(body, 'task_id', id(64)),
    taskName: optional(body, 'task_name', text()),
    createdFrom: optional(body, 'start_create_time', integer()),
    createdTo: optional(body, 'end_create_time', integer()),
    triggerType: optional(body, 'trigger_type', oneOf(['manual', 'schedule'])),
    taskStatus: optional(body, 'task_status', oneOf(['ready', 'running', 'finished'])),
    ascending: optional(body, 'sort_dir', oneOf(['asc', 'desc'])) === 'asc',
    scanTypes: optional(readInfo(body), 'scan_type_list', scanTypeList),
  };
}

export interface ResourceFilter {
  readonly scanStatus: ScanStatus | undefined;
  readonly clusterName: string | undefined;
  readonly clusterId: string | undefined;
  readonly clusterType: ClusterType | undefined;
}

export function readResourceFilter(call: HssCall): ResourceFilter {
  const info = readInfo(readBody(call));
  return {
    scanStatus: optional(info, 'scan_status', oneOf(scanStatuses)),
    clusterName: optional(info, 'cluster_name', text()),
    clusterId: optional(info, 'cluster_id', id(64)),
    clusterType: optional(info, 'cluster_type', oneOf(clusterTypes)),
  };
}

export interface NewScan {
  readonly scanTypes: readonly ScanType[];
  /** Null: every cluster of the project. */
  readonly clusterIds: readonly string[] | null;
}

export function readNewScan(call: HssCall): NewScan {
  const info = required(readBody(call), 'cluster_scan_info', fields);
  const range = required(info, 'range_type', oneOf(['all_cluster', 'specific_cluster']));
  return {
    scanTypes: optional(info, 'scan_type_list', scanTypeList) ?? scanTypes,
    clusterIds: range === 'all_cluster' ? null : required(info, 'cluster_id_list', listOf(id(64), { min: 1 })),
  };
}
