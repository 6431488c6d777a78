import { fireAt } from '../domain/schedule-due.js';
import { msOf, type ScheduleTerms } from '../domain/schedule.js';
import type { NextFire } from '../ledger/schedules.js';
import { calendarOf } from './calendar.js';

interface Planned {
  readonly id: string;
  readonly terms: ScheduleTerms;
  readonly anchorAt: Date;
}

/** The first due time later than this; null where none is to come. */
export function nextFire(schedule: Planned, after: Date): NextFire | null {
  const { terms, anchorAt } = schedule;
  const dueAt = calendarOf(terms, anchorAt).after(after);
  return dueAt && withJitter(schedule, dueAt);
}

export function withJitter({ id, terms }: Pick<Planned, 'id' | 'terms'>, dueAt: Date): NextFire {
  return { dueAt, fireAt: fireAt(dueAt, { scheduleId: id, jitterMs: msOf(terms.jitter) }) };
}
