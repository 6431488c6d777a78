import { describe, expect, it } from '@jest/globals';
import { estimate, type Outlook, type QueuedWork, type Wish } from '../../../src/domain/estimate.js';
import type { LaneSituation } from '../../../src/domain/lane.js';

const now = new Date('2026-01-01T12:00:00Z');
const inSeconds = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000);
const aLane = (changed: Partial<LaneSituation> = {}) => ({
  now,
  calls: 5,
  slotsInUse: 0,
  nextSlotAt: null,
  pausedUntil: null,
  operatorPaused: false,
  breakerOpenUntil: null,
  sendingOfLane: 0,
  credential: { confirmed: true, openUntil: null, sending: 0 },
  windowMs: 60_000,
  ...changed,
});
const anOutlook = (lanes = [aLane()], queue: QueuedWork[] = []): Outlook => ({ lanes, queue, latencyMs: 1_000, now });
const aWish = (changed: Partial<Wish> = {}): Wish => ({
  caller: 'a',
  priority: 1,
  waiting: 10,
  ownAhead: 0,
  dueAt: now,
  ...changed,
});
const others = (calls: number, priority = 1): QueuedWork => ({ caller: `other-${calls}`, priority, calls });

describe('an estimate', () => {
  it.each<[string, Partial<Wish>, Outlook, { calls: number; position: number; acceptedAt: Date | null }]>([
    ['of one call on a free lane', {}, anOutlook(), { calls: 1, position: 0, acceptedAt: inSeconds(1) }],
    [
      'of eleven calls: five now, five a window later, one more after that',
      { waiting: 2_001 },
      anOutlook([aLane({ nextSlotAt: inSeconds(61) })]),
      { calls: 11, position: 0, acceptedAt: inSeconds(61 + 61 + 1) },
    ],
    [
      'on a lane without free slots waits for the next one',
      {},
      anOutlook([aLane({ slotsInUse: 5, nextSlotAt: inSeconds(20) })]),
      { calls: 1, position: 0, acceptedAt: inSeconds(21) },
    ],
    [
      'lets one call of each other caller go first',
      {},
      anOutlook(undefined, [others(100), others(1)]),
      { calls: 1, position: 2, acceptedAt: inSeconds(1) },
    ],
    [
      'lets all urgent work go first, and nothing that is less so',
      {},
      anOutlook(undefined, [others(3, 0), others(7, 2)]),
      { calls: 1, position: 3, acceptedAt: inSeconds(1) },
    ],
    ['goes after the caller’s own', { ownAhead: 4 }, anOutlook(), { calls: 1, position: 4, acceptedAt: inSeconds(1) }],
    [
      'waits for what is due later',
      { dueAt: inSeconds(90) },
      anOutlook(),
      { calls: 1, position: 0, acceptedAt: inSeconds(91) },
    ],
    [
      'waits for the end of a pause',
      {},
      anOutlook([aLane({ pausedUntil: inSeconds(30) })]),
      { calls: 1, position: 0, acceptedAt: inSeconds(31) },
    ],
    [
      'takes the lane that is open',
      {},
      anOutlook([aLane({ pausedUntil: inSeconds(30) }), aLane()]),
      { calls: 1, position: 0, acceptedAt: inSeconds(1) },
    ],
    [
      'knows no moment while an operator keeps the lane',
      {},
      anOutlook([aLane({ operatorPaused: true })]),
      { calls: 1, position: 0, acceptedAt: null },
    ],
    [
      'knows no limit where there is none',
      { waiting: 100_000 },
      anOutlook([aLane({ calls: null })]),
      { calls: 500, position: 0, acceptedAt: inSeconds(1) },
    ],
  ])('%s', (_title, wish, outlook, expected) => {
    expect(estimate(aWish(wish), outlook)).toEqual(expected);
  });
});
