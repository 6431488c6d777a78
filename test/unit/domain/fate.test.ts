import { expect, it } from '@jest/globals';
import { fateOf, type Fate, type SeenScan } from '../../../src/domain/fate.js';

const sentAt = new Date('2026-01-01T12:00:00Z');
const at = (sinceSentMs: number): Date => new Date(sentAt.getTime() + sinceSentMs);
const scan = (status: SeenScan['status'], startTime: Date | null = null, endTime: Date | null = null): SeenScan => ({
  status,
  startTime,
  endTime,
});

it.each<[string, SeenScan, Fate]>([
  ['scans now', scan('scanning', at(-9e6)), 'taken'],
  ['does not fail any more', scan('success', at(-9e6), at(-8e6)), 'taken'],
  ['failed again after it', scan('failed', at(1_000), at(60_000)), 'taken'],
  ['ended after it', scan('failed', at(-9e6), at(60_000)), 'taken'],
  ['started in the same moment by a clock that is a little behind', scan('failed', at(-2_000)), 'taken'],
  ['failed long before it', scan('failed', at(-9e6), at(-8e6)), 'not_carried_out'],
  ['failed a few seconds before it', scan('failed', at(-9_000), at(-4_000)), 'not_carried_out'],
  ['failed, nobody knows when', scan('failed'), 'not_carried_out'],
  ['has no state but a time after it', scan(null, at(5_000)), 'taken'],
  ['has neither', scan(null), 'unclear'],
  ['has an old time and no state', scan(null, at(-9e6)), 'unclear'],
])('a cluster that %s', (_title, seen, expected) => {
  expect(fateOf(seen, sentAt)).toBe(expected);
});
