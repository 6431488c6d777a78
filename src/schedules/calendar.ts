import { Cron } from 'croner';
import { everyCalendar, type Calendar } from '../domain/schedule-due.js';
import { msOf, type CronTiming, type ScheduleTerms } from '../domain/schedule.js';

/** Five fields: with seconds a schedule could fire more often than once a minute. */
const EXPRESSION = /^[A-Za-z0-9*,/#?-]+( +[A-Za-z0-9*,/#?-]+){4}$/;
const MAX_EXPRESSION = 100;
/** No offsets: they know no summer time. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;
const MAX_ZONE = 64;

/** @param anchor of equal steps; cron has its own */
export function calendarOf({ cron, every }: Pick<ScheduleTerms, 'cron' | 'every'>, anchor: Date): Calendar {
  return cron ? cronCalendar(cron) : everyCalendar(msOf(every), anchor);
}

/** @returns what is wrong with it; null where nothing is */
export function findCronFault({ expression, timezone }: CronTiming): string | null {
  if (!isZone(timezone)) return 'timezone must be the name of an IANA time zone, such as Europe/Berlin';
  if (expression.length > MAX_EXPRESSION || !EXPRESSION.test(expression)) {
    return 'expression must have five fields (minute, hour, day, month, weekday), and no seconds';
  }
  try {
    return cronCalendar({ expression, timezone }).after(new Date(0)) ? null : 'expression must match some time';
  } catch {
    return 'expression must be one of cron, such as 30 2 * * MON-FRI';
  }
}

/**
 * As Vixie cron: a time of day that summer time leaves out comes at the first moment after the gap, one that comes twice counts
 * once; what has a `*` or a step in its hours or minutes follows real time through both.
 */
function cronCalendar({ expression, timezone }: CronTiming): Calendar {
  const cron = new Cron(expression, { timezone, mode: '5-part', fixedTimeRule: 'no-wildcard' });
  return {
    after: (at) => cron.nextRun(at),
    // Croner's own is "earlier than", and of whole seconds.
    upTo: (at) => cron.previousRuns(1, new Date(Math.floor(at.getTime() / 1_000) * 1_000 + 1_000))[0] ?? null,
  };
}

function isZone(timezone: string): boolean {
  if (timezone.length > MAX_ZONE || !ZONE.test(timezone)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

/** `2027-03-28T03:00:00+02:00`: the time on the clocks of a zone, and which of two it is where one comes twice. */
export function localTime(at: Date, timezone: string): string {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, hourCycle: 'h23', ...PARTS });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year = '', month = '', day = '', hour = '', minute = '', second = '', timeZoneName = '' } = part;
  const offset = timeZoneName.replace('GMT', '') || '+00:00';
  return `${year.padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}${offset}`;
}

const PARTS = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'longOffset',
} as const;
