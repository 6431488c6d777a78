import type { Head } from '../../src/domain/choose.js';
import type { WantedRequest, WantedTask } from './busy-hour.js';

/** What a cluster of a task is. */
export const FREE = 0;
export const WAITING = 1;
export const HELD = 2;
export const OVER = 3;

export interface TaskState {
  readonly task: WantedTask;
  readonly clusters: Uint8Array;
  readonly requests: RequestState[];
  waiting: number;
  free: number;
  live: number;
  /** When a call of it was accepted last. */
  calledAt: number;
}

export interface RequestState {
  readonly wanted: WantedRequest;
  readonly task: TaskState;
  /** As the choosing code sees it. */
  head: Head;
  dueAt: number;
  /** None waits before it. */
  next: number;
  /** Part of a rejected call: it goes alone. */
  readonly part: readonly number[] | null;
}

/** Moves on to its first cluster that waits; false where none does. */
export function hasWaiting(request: RequestState): boolean {
  if (request.part) return true;
  const { clusters } = request.task;
  while (request.next < request.wanted.to && clusters[request.next] !== WAITING) request.next += 1;
  return request.next < request.wanted.to;
}

export const aRequest = (
  wanted: WantedRequest,
  task: TaskState,
  dueAt: number,
  part: readonly number[] | null = null,
): RequestState => ({ wanted, task, head: toHead(wanted, dueAt, part !== null), dueAt, next: wanted.from, part });

export const toHead = (wanted: WantedRequest, dueAt: number, goesAlone = false): Head => ({
  requestId: String(wanted.id).padStart(6, '0'),
  scanTaskId: BigInt(wanted.task.id),
  caller: wanted.caller,
  priority: wanted.priority,
  dueAt: new Date(dueAt),
  deadline: null,
  goesAlone,
});
