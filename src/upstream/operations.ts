import { SHORT_BODY_BYTES } from './exchange.js';
import { isId, MAX_PROJECT_ID } from './ids.js';
import type { ListQuery, ResourceQuery, RetryCall, TaskQuery, UpstreamCall } from './scan-tasks.js';

/** A call of one of the upstream's operations, before anybody vouches for it. */
export interface HssOperation {
  readonly method: 'PUT' | 'POST';
  /** Segments, unencoded. */
  readonly path: readonly string[];
  /** Unencoded. */
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly maxResultBytes: number;
  /** Clusters that it would scan; null: all failed ones of the task; 0: it only reads. */
  readonly clusters: number | null;
}

/** 200 clusters of three items come to some 100 KB; this leaves 7,000 bytes to each reason, and bounds what a page may cost. */
const MAX_PAGE_BYTES = 4 * 1_024 * 1_024;

const MAX_OFFSET = 2_000_000;
const MIN_LIMIT = 10;
const MAX_LIMIT = 200;

// Ids come from callers; what cannot stand in a path or a header must not become a request for something else. Each of the
// functions below answers null for such a call, and for a page that HSS would refuse.

export function retryTask(call: RetryCall): HssOperation | null {
  if (!isSendable(call) || !isId(call.taskId)) return null;
  const { projectId, taskId, body, range } = call;
  return {
    method: 'PUT',
    path: ['v5', projectId, 'common', 'tasks', taskId, 'retry'],
    query: [['enterprise_project_id', call.enterpriseProjectId]],
    body,
    maxResultBytes: SHORT_BODY_BYTES,
    clusters: range.rangeType === 'specific_cluster' ? range.clusters.length : null,
  };
}

export function listTaskResources(query: ResourceQuery): HssOperation | null {
  const { projectId, taskId, clusterId, scanStatus } = query;
  if (!isId(taskId) || !isIdOrAbsent(clusterId)) return null;
  const filter = { scan_status: scanStatus, cluster_id: clusterId };
  return listOperation(query, ['v5', projectId, 'common', 'tasks', taskId, 'resources', 'batch-query'], {
    task_type: 'cluster_scan',
    cluster_scan_info: filter,
  });
}

export function listTasks(query: TaskQuery): HssOperation | null {
  const { projectId, taskId, taskStatus, taskName, triggerType, createdFrom, scanTypes } = query;
  if (!isIdOrAbsent(taskId)) return null;
  return listOperation(query, ['v5', projectId, 'common', 'tasks', 'batch-query'], {
    task_type: 'cluster_scan',
    task_id: taskId,
    task_name: taskName,
    start_create_time: createdFrom?.getTime(),
    trigger_type: triggerType,
    task_status: taskStatus,
    cluster_scan_info: scanTypes && { scan_type_list: scanTypes },
  });
}

/** @param body what is undefined in it is not sent. */
function listOperation(query: ListQuery, path: readonly string[], body: object): HssOperation | null {
  if (!isSendable(query) || !isPage(query)) return null;
  return {
    method: 'POST',
    path,
    query: [
      ['enterprise_project_id', query.enterpriseProjectId],
      ['limit', String(query.limit)],
      ['offset', String(query.offset)],
    ],
    body: JSON.stringify(body),
    maxResultBytes: MAX_PAGE_BYTES,
    clusters: 0,
  };
}

function isSendable({ projectId, enterpriseProjectId }: UpstreamCall): boolean {
  return isId(projectId, MAX_PROJECT_ID) && isId(enterpriseProjectId, MAX_PROJECT_ID);
}

function isIdOrAbsent(id: string | undefined): boolean {
  return id === undefined || isId(id);
}

function isPage({ offset, limit }: ListQuery): boolean {
  return isWithin(offset, 0, MAX_OFFSET) && isWithin(limit, MIN_LIMIT, MAX_LIMIT);
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
