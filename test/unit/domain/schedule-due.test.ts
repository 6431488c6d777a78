import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseDuration } from '../../../src/domain/duration.js';
import { everyCalendar, fireAt, planDue, type Calendar, type DuePlan } from '../../../src/domain/schedule-due.js';
import type { CatchUp } from '../../../src/domain/schedule.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (time: string): Date => new Date(`2027-06-01T${time}Z`);
const anchor = at('00:00:00');
const hourly = everyCalendar(HOUR, anchor);

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 15 * MINUTE],
    ['6h', 6 * HOUR],
    ['30d', 30 * 24 * HOUR],
    ['0m', null],
    ['1.5h', null],
    ['15', null],
    ['m', null],
    ['-1m', null],
    ['15 m', null],
    ['250ms', null],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));
});

describe('equal steps', () => {
  it.each([
    ['a step after the anchor', '00:00:00', '01:00:00', '00:00:00'],
    ['between two', '05:59:59.999', '06:00:00', '05:00:00'],
    ['before the anchor, where a clock was set back', '-3', '-2', '-3'],
  ])('%s', (_title, when, after, upTo) => {
    const moment = (text: string): Date =>
      text.startsWith('-') ? new Date(anchor.getTime() + Number(text) * HOUR) : at(text);
    expect([hourly.after(moment(when)), hourly.upTo(moment(when))]).toEqual([moment(after), moment(upTo)]);
  });

  const moments = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms));
  it('are one sequence, wherever it is entered', () => {
    fc.assert(
      fc.property(fc.integer({ min: MINUTE, max: 30 * 24 * HOUR }), moments, moments, (everyMs, from, when) => {
        const calendar = everyCalendar(everyMs, from);
        const [next, last] = [calendar.after(when)!, calendar.upTo(when)!];
        expect(next.getTime() - last.getTime()).toBe(everyMs);
        expect([last <= when, next > when, calendar.upTo(next), calendar.after(last)]).toEqual([
          true,
          true,
          next,
          next,
        ]);
      }),
    );
  });
});

describe('jitter', () => {
  const dueTimes = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => new Date(ms));

  it('delays by less than it says, and by the same in every process', () => {
    fc.assert(
      fc.property(dueTimes, fc.uuid(), fc.integer({ min: 0, max: HOUR }), (dueAt, scheduleId, jitterMs) => {
        const delayMs = fireAt(dueAt, { scheduleId, jitterMs }).getTime() - dueAt.getTime();
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThan(Math.max(1, jitterMs));
        expect(fireAt(new Date(dueAt), { scheduleId, jitterMs })).toEqual(fireAt(dueAt, { scheduleId, jitterMs }));
      }),
    );
  });

  it('spreads the schedules of one moment, and the moments of one schedule', () => {
    const tenth = (delayMs: number): number => Math.floor((10 * delayMs) / HOUR);
    const delays = [
      Array.from({ length: 1_000 }, (_, n) => fireAt(anchor, { scheduleId: `schedule-${n}`, jitterMs: HOUR })),
      Array.from({ length: 1_000 }, (_, n) => {
        const dueAt = new Date(anchor.getTime() + n * HOUR);
        return new Date(fireAt(dueAt, { scheduleId: 's', jitterMs: HOUR }).getTime() - n * HOUR);
      }),
    ];
    for (const of of delays) {
      const counts = Array<number>(10).fill(0);
      for (const delay of of) counts[tenth(delay.getTime() - anchor.getTime())]! += 1;
      expect(Math.min(...counts)).toBeGreaterThan(60);
    }
  });
});

describe('what is due', () => {
  const plan = (now: Date, catchUp: CatchUp = 'once', jitterMs = 0): DuePlan =>
    planDue(hourly, { nextDueAt: at('03:00:00'), now, catchUp, scheduleId: 's', jitterMs });

  it.each<[string, Date, CatchUp, DuePlan]>([
    ['nothing yet', at('02:59:59'), 'once', { kind: 'wait' }],
    ['the next time, on time', at('03:00:01'), 'once', { kind: 'fire', dueAt: at('03:00:00'), missedSince: null }],
    [
      'the same, where nothing is caught up',
      at('03:00:59'),
      'skip',
      { kind: 'fire', dueAt: at('03:00:00'), missedSince: null },
    ],
    ['a missed one, once', at('03:01:00'), 'once', { kind: 'fire', dueAt: at('03:00:00'), missedSince: null }],
    ['a missed one, or not', at('03:01:00'), 'skip', { kind: 'missed', dueAt: at('03:00:00'), missedSince: null }],
    [
      'of several the latest, once',
      at('07:20:00'),
      'once',
      { kind: 'fire', dueAt: at('07:00:00'), missedSince: at('03:00:00') },
    ],
    ['of several none', at('07:20:00'), 'skip', { kind: 'missed', dueAt: at('07:00:00'), missedSince: at('03:00:00') }],
    [
      'the one that is on time after some that were missed',
      at('07:00:02'),
      'skip',
      { kind: 'fire', dueAt: at('07:00:00'), missedSince: at('03:00:00') },
    ],
  ])('%s', (_title, now, catchUp, expected) => expect(plan(now, catchUp)).toEqual(expected));

  it('waits for its jitter, and is not late by it', () => {
    const jitterMs = HOUR - 1;
    const firesAt = fireAt(at('03:00:00'), { scheduleId: 's', jitterMs });
    expect(plan(new Date(firesAt.getTime() - 1), 'skip', jitterMs)).toEqual({ kind: 'wait' });
    expect(plan(firesAt, 'skip', jitterMs)).toEqual({ kind: 'fire', dueAt: at('03:00:00'), missedSince: null });
  });

  it('is never later than now, never before what is next, and the latest of these', () => {
    const times = fc.integer({ min: 0, max: 500 * HOUR });
    fc.assert(
      fc.property(
        times,
        times,
        fc.integer({ min: 0, max: HOUR - 1 }),
        fc.constantFrom<CatchUp>('once', 'skip'),
        (a, b, jitterMs, catchUp) => {
          const nextDueAt = hourly.after(new Date(anchor.getTime() + a))!;
          const now = new Date(anchor.getTime() + b);
          const jitter = { scheduleId: 's', jitterMs };
          const found = planDue(hourly, { nextDueAt, now, catchUp, ...jitter });
          if (found.kind === 'wait') {
            expect(fireAt(nextDueAt, jitter) > now).toBe(true);
            return;
          }
          expect([found.dueAt >= nextDueAt, fireAt(found.dueAt, jitter) <= now]).toEqual([true, true]);
          expect(fireAt(hourly.after(found.dueAt)!, jitter) > now).toBe(true);
          expect(found.missedSince).toEqual(found.dueAt > nextDueAt ? nextDueAt : null);
        },
      ),
    );
  });

  it('is what was due where the calendar ends', () => {
    const over: Calendar = { after: () => null, upTo: () => null };
    const due = {
      nextDueAt: at('03:00:00'),
      now: at('03:00:01'),
      catchUp: 'once',
      scheduleId: 's',
      jitterMs: 0,
    } as const;
    expect(planDue(over, due)).toEqual({ kind: 'fire', dueAt: at('03:00:00'), missedSince: null });
  });
});
