import type { CatchUp } from './schedule.js';

/** The due times of a schedule, without their jitter. */
export interface Calendar {
  /** The first one that is later; null where none is to come. */
  after(at: Date): Date | null;
  /** The last one that is not later. */
  upTo(at: Date): Date | null;
}

/** Equal steps, before the anchor as well: only its phase counts, so that a clock that is set back finds the same times. */
export function everyCalendar(everyMs: number, anchor: Date): Calendar {
  const phase = anchor.getTime();
  const last = (at: Date): number => phase + Math.floor((at.getTime() - phase) / everyMs) * everyMs;
  return { after: (at) => new Date(last(at) + everyMs), upTo: (at) => new Date(last(at)) };
}

/** When a due time is taken. */
export interface Jitter {
  readonly scheduleId: string;
  readonly jitterMs: number;
}

/**
 * The due time and a delay that is the same in every process, or two of them would disagree on what is due. Schedules of one moment
 * spread over the jitter, and one schedule over its due times.
 */
export function fireAt(dueAt: Date, { scheduleId, jitterMs }: Jitter): Date {
  return new Date(dueAt.getTime() + Math.floor(share(`${scheduleId} ${dueAt.getTime()}`) * jitterMs));
}

/** From 0 to below 1: FNV-1a, and then mixed, since its high bits hardly move with the last characters. */
function share(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** A due time is missed when nobody took it for so long: the sweep looks every second, so the service was away or its clock was set. */
export const MISSED_AFTER_MS = 60_000;

export type DuePlan =
  /** Not yet: the clock was set back. */
  | { readonly kind: 'wait' }
  | {
      readonly kind: 'fire' | 'missed';
      readonly dueAt: Date;
      /** The first of those that passed before it; null where none did. */
      readonly missedSince: Date | null;
    };

/**
 * What is due now. Of several due times only the latest counts, whatever becomes of it: those before it were missed, and are
 * caught up by it at most.
 */
export function planDue(
  calendar: Calendar,
  { nextDueAt, now, catchUp, ...jitter }: { nextDueAt: Date; now: Date; catchUp: CatchUp } & Jitter,
): DuePlan {
  if (fireAt(nextDueAt, jitter) > now) return { kind: 'wait' };
  const dueAt = latestDue(calendar, nextDueAt, now, jitter);
  const missedSince = dueAt > nextDueAt ? nextDueAt : null;
  const isLate = now.getTime() - fireAt(dueAt, jitter).getTime() >= MISSED_AFTER_MS;
  return { kind: isLate && catchUp === 'skip' ? 'missed' : 'fire', dueAt, missedSince };
}

function latestDue(calendar: Calendar, nextDueAt: Date, now: Date, jitter: Jitter): Date {
  let latest = calendar.upTo(now);
  // The jitter is shorter than the pause between two due times, so that this takes one step at most.
  while (latest && latest > nextDueAt && fireAt(latest, jitter) > now) {
    latest = calendar.upTo(new Date(latest.getTime() - 1));
  }
  return latest && latest > nextDueAt ? latest : nextDueAt;
}
