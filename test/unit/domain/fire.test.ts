import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chooseClusters, nextPage, type Candidate, type Limits } from '../../../src/domain/fire.js';

describe('the next page', () => {
  it.each([
    ['is the one after it', { offset: 0, expected: null }, { total: 450, nextOffset: 200 }, 200],
    ['is none at the end', { offset: 400, expected: 450 }, { total: 450, nextOffset: null }, null],
    ['reads what has moved up past the offset', { offset: 200, expected: 450 }, { total: 447, nextOffset: 400 }, 197],
    ['does so at the end as well', { offset: 400, expected: 450 }, { total: 449, nextOffset: null }, 399],
    ['looks no further back than the beginning', { offset: 10, expected: 450 }, { total: 20, nextOffset: null }, 0],
    ['of a list that has grown shows some twice', { offset: 200, expected: 450 }, { total: 460, nextOffset: 400 }, 400],
    [
      'is the one after it where nobody says how many there are',
      { offset: 200, expected: 9 },
      { total: null, nextOffset: 400 },
      400,
    ],
    ['moved back on the first page already', { offset: 0, expected: 450 }, { total: 449, nextOffset: 200 }, 200],
  ])('%s', (_title, reading, page, expected) => expect(nextPage(reading, page)).toBe(expected));

  it('shows all that stays in the list, however much vanishes and comes in at its head between pages', () => {
    const changes = fc.array(fc.record({ gone: fc.array(fc.nat(59)), come: fc.nat(3) }), { maxLength: 40 });
    fc.assert(
      fc.property(changes, (between) => {
        const stays = new Set(Array.from({ length: 60 }, (_, n) => n));
        for (const { gone } of between) gone.forEach((n) => stays.delete(n));
        let list = Array.from({ length: 60 }, (_, n) => n);
        let [born, steps] = [60, 0];
        const seen = new Set<number>();
        let reading = { offset: 0, expected: null as number | null };
        for (;;) {
          const rows = list.slice(reading.offset, reading.offset + 7);
          rows.forEach((row) => seen.add(row));
          const end = reading.offset + rows.length;
          const offset = nextPage(reading, { total: list.length, nextOffset: end < list.length ? end : null });
          if (offset === null) break;
          reading = { offset, expected: list.length };
          const { gone = [], come = 0 } = between[steps] ?? {};
          list = [...Array.from({ length: come }, () => (born += 1)), ...list.filter((row) => !gone.includes(row))];
          steps += 1;
          expect(steps).toBeLessThan(1_000);
        }
        expect([...stays].filter((row) => !seen.has(row))).toEqual([]);
      }),
    );
  });
});

const now = new Date('2027-06-01T12:00:00Z');
const ago = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);
const limits: Limits = { minFailed: 1, triesPerDay: 3, minPauseMs: 60 * 60_000, room: 100, openRoom: 100 };
const aCandidate = (changed: Partial<Candidate> = {}): Candidate => ({
  clusterId: 'c',
  live: false,
  tries: 0,
  lastTriedAt: null,
  ...changed,
});

describe('a failed cluster', () => {
  it.each<[string, Partial<Candidate>, Partial<Limits>, string | null]>([
    ['is taken', {}, {}, null],
    ['that is live is left out, whatever else is against it', { live: true, tries: 9 }, { room: 0 }, 'live'],
    ['that was tried too often', { tries: 3, lastTriedAt: ago(1) }, {}, 'tried_too_often'],
    ['that was tried too recently', { tries: 1, lastTriedAt: ago(59) }, {}, 'tried_too_recently'],
    ['that was tried long enough ago is taken', { tries: 2, lastTriedAt: ago(60) }, {}, null],
    ['is taken as often as nobody forbids it', { tries: 99 }, { triesPerDay: null }, null],
    ['beyond what a fire takes', {}, { room: 0 }, 'max_clusters'],
    ['beyond what its caller may have open', {}, { openRoom: -5 }, 'open_targets_limit'],
    ['of a task with too few of them', {}, { minFailed: 2 }, 'below_min_failed'],
  ])('%s', (_title, candidate, changed, reason) => {
    const { taken, leftOut } = chooseClusters([aCandidate(candidate)], { ...limits, ...changed }, now);
    expect([taken, leftOut]).toEqual(reason === null ? [['c'], []] : [[], [{ clusterId: 'c', reason }]]);
  });

  it('takes no room where it is left out', () => {
    const three = ['a', 'b', 'c'].map((clusterId) => aCandidate({ clusterId, live: clusterId === 'a' }));
    expect(chooseClusters(three, { ...limits, room: 1 }, now)).toEqual({
      taken: ['b'],
      leftOut: [
        { clusterId: 'a', reason: 'live' },
        { clusterId: 'c', reason: 'max_clusters' },
      ],
    });
  });
});
