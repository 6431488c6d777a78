import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { calendarOf, findCronFault, localTime } from '../../../src/schedules/calendar.js';

const cron = (expression: string, timezone: string) =>
  calendarOf({ cron: { expression, timezone }, every: null }, new Date(0));

/** The next due times, as the clocks of the zone show them. */
function due(expression: string, timezone: string, from: string, count: number): string[] {
  const calendar = cron(expression, timezone);
  const times: string[] = [];
  let at = new Date(from);
  for (let n = 0; n < count; n += 1) {
    at = calendar.after(at)!;
    times.push(localTime(at, timezone).slice(5, 16) + localTime(at, timezone).slice(19));
  }
  return times;
}

describe('summer time begins', () => {
  it.each([
    [
      'Europe/Berlin',
      'a time that the night leaves out comes at the first moment after the gap',
      '30 2 * * *',
      '2027-03-27T00:00Z',
      ['03-27T02:30+01:00', '03-28T03:00+02:00', '03-29T02:30+02:00'],
    ],
    [
      'Europe/Berlin',
      'two times that come to one moment are one',
      '0 2,3 * * *',
      '2027-03-27T12:00Z',
      ['03-28T03:00+02:00', '03-29T02:00+02:00', '03-29T03:00+02:00'],
    ],
    [
      'Europe/Berlin',
      'each half hour follows real time',
      '*/30 * * * *',
      '2027-03-28T00:00Z',
      ['03-28T01:30+01:00', '03-28T03:00+02:00', '03-28T03:30+02:00'],
    ],
    [
      'Europe/Berlin',
      'other times of day stay what they are',
      '0 12 * * *',
      '2027-03-27T00:00Z',
      ['03-27T12:00+01:00', '03-28T12:00+02:00'],
    ],
    [
      'America/New_York',
      'a time that the night leaves out comes at the first moment after the gap',
      '30 2 * * *',
      '2027-03-13T12:00Z',
      ['03-14T03:00-04:00', '03-15T02:30-04:00'],
    ],
    [
      'America/New_York',
      'each hour follows real time',
      '15 * * * *',
      '2027-03-14T06:00Z',
      ['03-14T01:15-05:00', '03-14T03:15-04:00', '03-14T04:15-04:00'],
    ],
    [
      'Asia/Shanghai',
      'it knows none',
      '30 2 * * *',
      '2027-03-27T00:00Z',
      ['03-28T02:30+08:00', '03-29T02:30+08:00', '03-30T02:30+08:00'],
    ],
  ])('%s: %s', (zone, _title, expression, from, expected) => {
    expect(due(expression, zone, from, expected.length)).toEqual(expected);
  });
});

describe('summer time ends', () => {
  it.each([
    [
      'Europe/Berlin',
      'a time that comes twice counts once, the first time',
      '30 2 * * *',
      '2027-10-30T12:00Z',
      ['10-31T02:30+02:00', '11-01T02:30+01:00'],
    ],
    [
      'Europe/Berlin',
      'so do several of them',
      '0,30 2 * * *',
      '2027-10-30T12:00Z',
      ['10-31T02:00+02:00', '10-31T02:30+02:00', '11-01T02:00+01:00'],
    ],
    [
      'Europe/Berlin',
      'each half hour follows real time, through both hours',
      '*/30 * * * *',
      '2027-10-31T00:00Z',
      ['10-31T02:30+02:00', '10-31T02:00+01:00', '10-31T02:30+01:00', '10-31T03:00+01:00'],
    ],
    [
      'America/New_York',
      'a time that comes twice counts once, the first time',
      '30 1 * * *',
      '2027-11-06T12:00Z',
      ['11-07T01:30-04:00', '11-08T01:30-05:00'],
    ],
    [
      'America/New_York',
      'each hour follows real time, through both hours',
      '0 * * * *',
      '2027-11-07T04:30Z',
      ['11-07T01:00-04:00', '11-07T01:00-05:00', '11-07T02:00-05:00'],
    ],
    ['Asia/Shanghai', 'it knows none', '30 1 * * *', '2027-10-30T18:00Z', ['11-01T01:30+08:00', '11-02T01:30+08:00']],
  ])('%s: %s', (zone, _title, expression, from, expected) => {
    expect(due(expression, zone, from, expected.length)).toEqual(expected);
  });

  it('Europe/Berlin: a time that was taken in the first hour is not taken again in the second', () => {
    const inTheSecondHour = new Date('2027-10-31T01:10:00Z');
    const calendar = cron('30 2 * * *', 'Europe/Berlin');
    expect(calendar.after(inTheSecondHour)).toEqual(new Date('2027-11-01T01:30:00Z'));
    expect(calendar.upTo(inTheSecondHour)).toEqual(new Date('2027-10-31T00:30:00Z'));
  });
});

describe('a calendar', () => {
  const fields = {
    minute: fc.constantFrom('0', '30', '*/15', '5,35', '10-12', '*'),
    hour: fc.constantFrom('0', '1', '2', '1,2,3', '*/2', '*', '23'),
    day: fc.constantFrom('*', '1', '28-31', 'L'),
    month: fc.constantFrom('*', '3', '10', 'MAR,OCT,NOV'),
    weekday: fc.constantFrom('*', 'SUN', '1-5'),
  };
  const expressions = fc.record(fields).map((all) => Object.values(all).join(' '));
  const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Shanghai', 'Australia/Lord_Howe', 'UTC');
  // Mostly around the nights of the change.
  const moments = fc
    .tuple(
      fc.constantFrom('2027-03-28', '2027-10-31', '2027-03-14', '2027-11-07', '2027-04-04'),
      fc.integer({ min: -1_440, max: 2_880 }),
    )
    .map(([day, minutes]) => new Date(Date.parse(`${day}T00:00Z`) + minutes * 60_000 + 1));

  it('is one sequence, forwards and backwards, in steps of a minute at least', () => {
    fc.assert(
      fc.property(expressions, zones, moments, (expression, timezone, at) => {
        const calendar = cron(expression, timezone);
        const next = calendar.after(at)!;
        const last = calendar.upTo(at)!;
        expect([next > at, last <= at, next.getTime() - last.getTime() >= 60_000]).toEqual([true, true, true]);
        expect(calendar.after(last)).toEqual(next);
        expect(calendar.upTo(next)).toEqual(next);
        expect(calendar.upTo(new Date(next.getTime() - 1))).toEqual(last);
      }),
      { numRuns: 300 },
    );
  });
});

describe('cron', () => {
  it.each([
    ['30 2 * * MON-FRI', 'Europe/Berlin'],
    ['0 0 29 2 *', 'UTC'],
    ['*/15 8-18 * * 1-5', 'America/Argentina/Buenos_Aires'],
    ['0 6 1,15 * *', 'Etc/GMT+5'],
  ])('takes %s in %s', (expression, timezone) => expect(findCronFault({ expression, timezone })).toBeNull());

  it.each([
    ['seconds', '* * * * * *', 'UTC', 'five fields'],
    ['four fields', '* * * *', 'UTC', 'five fields'],
    ['a nickname', '@daily', 'UTC', 'five fields'],
    ['a date', '2027-01-01T00:00:00', 'UTC', 'five fields'],
    ['nothing', '', 'UTC', 'five fields'],
    ['what is too long', `${'1,'.repeat(60)}1 * * * *`, 'UTC', 'five fields'],
    ['a minute that no hour has', '60 * * * *', 'UTC', 'one of cron'],
    ['a step of nothing', '*/0 * * * *', 'UTC', 'one of cron'],
    ['words', 'x y z u v', 'UTC', 'one of cron'],
    ['a day that never comes', '0 0 30 2 *', 'UTC', 'match some time'],
    ['a zone that is none', '* * * * *', 'Europe/Nowhere', 'IANA'],
    ['an offset', '* * * * *', '+01:00', 'IANA'],
    ['no zone', '* * * * *', '', 'IANA'],
  ])('refuses %s', (_title, expression, timezone, part) => {
    expect(findCronFault({ expression, timezone })).toContain(part);
  });
});
