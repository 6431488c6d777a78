import { DomainError, type FieldError } from '../domain/domain-error.js';
import { BOUNDS, msOf, type ScheduleTerms } from '../domain/schedule.js';
import type { ScheduleOrder } from '../ledger/schedules.js';
import { calendarOf } from './calendar.js';
import { ChangeScheduleDto, CreateScheduleDto } from './schedule-body.dto.js';

export type ScheduleBody = Omit<CreateScheduleDto, 'projectId' | 'enabled'>;

/** Of so many due times the jitter must be shorter than each pause between two. */
const PAUSES_CHECKED = 10;

/** Fills in the defaults, and checks what no single field can say. @throws DomainError `malformed` */
export function toOrder(body: ScheduleBody, now: Date): ScheduleOrder {
  const terms: ScheduleTerms = {
    selection: body.selection,
    cron: body.cron ?? null,
    every: body.every ?? null,
    jitter: body.jitter ?? null,
    priority: body.priority ?? 'normal',
    maxRounds: body.maxRounds ?? 1,
    perCluster: body.perCluster ?? null,
    minFailed: body.minFailed ?? 1,
    maxClusters: body.maxClusters ?? BOUNDS.maxClusters,
    catchUp: body.catchUp ?? 'once',
  };
  const fault = findFault(terms, now);
  if (fault) throw misfit(fault);
  return { name: body.name, enterpriseProjectId: body.enterpriseProjectId ?? '0', terms };
}

function findFault(terms: ScheduleTerms, now: Date): FieldError | null {
  if ((terms.cron === null) === (terms.every === null)) {
    return { path: 'cron', message: 'is needed, or every; and not both' };
  }
  const isTooLong = terms.jitter !== null && msOf(terms.jitter) >= shortestPause(terms, now);
  return isTooLong ? { path: 'jitter', message: 'must be shorter than the pause between two due times' } : null;
}

function shortestPause(terms: ScheduleTerms, now: Date): number {
  const calendar = calendarOf(terms, now);
  let [shortest, last] = [Infinity, calendar.after(now)];
  for (let pauses = 0; last && pauses < PAUSES_CHECKED; pauses += 1) {
    const next = calendar.after(last);
    if (next) shortest = Math.min(shortest, next.getTime() - last.getTime());
    last = next;
  }
  return shortest;
}

/**
 * The order as it is after a change: what is absent stays, null goes back to its default, and one timing replaces the other.
 * @throws DomainError `malformed`
 */
export function changed(order: ScheduleOrder, change: ChangeScheduleDto, now: Date): ScheduleOrder {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  if (given.length === 0) throw new DomainError('malformed', 'Nothing is to be changed. Send the fields that are.');
  const needed = given.find(([field, value]) => value === null && (field === 'name' || field === 'selection'));
  if (needed) throw misfit({ path: needed[0], message: 'is needed' });
  const { terms, ...rest } = order;
  const before: object = {
    ...rest,
    ...terms,
    ...(isThere(change.cron) !== isThere(change.every) ? { cron: null, every: null } : {}),
  };
  return toOrder({ ...before, ...Object.fromEntries(given) } as ScheduleBody, now);
}

/** Null is a value that callers may send, whatever the DTO's type says. */
const isThere = (value: unknown): boolean => value !== undefined && value !== null;

export const hasOtherTiming = (one: ScheduleTerms, other: ScheduleTerms): boolean =>
  one.every !== other.every ||
  one.cron?.expression !== other.cron?.expression ||
  one.cron?.timezone !== other.cron?.timezone;

function misfit(error: FieldError): DomainError {
  return new DomainError('malformed', 'The schedule does not fit the API; see "errors".', { errors: [error] });
}
