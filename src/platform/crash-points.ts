/** Places between two steps that must be safe to die at. The fault suite kills the process at each of them. */
export const CRASH_POINTS = [
  'submit.key_taken',
  'submit.stored',
  'submit.committed',
  'submit.rung',
  'cancel.marked',
  'cancel.ended',
  'start.locked',
  'start.filled',
  'start.written',
  'start.committed',
  'send.before',
  'send.answered',
  'settle.locked',
  'settle.ended',
  'settle.applied',
  'settle.committed',
  'sweep.lease_found',
  'sweep.lease_ended',
  'sweep.verdict_ended',
  'sweep.request_ended',
  'sweep.rung',
  'list.taken',
  'list.committed',
  'list.answered',
  'list.ended',
  'list.resolved',
  'list.settled',
  'schedule.fired',
  'schedule.committed',
  'schedule.page_read',
  'schedule.submitted',
  'callback.taken',
  'callback.committed',
  'callback.answered',
  'callback.settled',
  'seal.written',
  'seal.committed',
  'stop.begun',
  'stop.drained',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

let visit: ((point: CrashPoint) => void) | null = null;

/** Does nothing in production. */
export function crashPoint(point: CrashPoint): void {
  visit?.(point);
}

/** For the fault suite alone. */
export function onCrashPoint(visitor: (point: CrashPoint) => void): void {
  visit = visitor;
}
