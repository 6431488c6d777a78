import { describe, expect, it } from '@jest/globals';
import { limitInForce, loweredLimit } from '../../../src/domain/learned-limit.js';

const WINDOW_MS = 60_000;
const now = new Date('2026-01-01T12:00:00Z');
const since = (ms: number) => ({ calls: 2, at: now, quietSince: new Date(now.getTime() - ms) });

describe('the limit in force', () => {
  it.each([
    ['the configured one where nothing was learned', 5, null, 5],
    ['what was learned, during the pause', 5, since(-30_000), 2],
    ['what was learned, in the first window after it', 5, since(59_999), 2],
    ['one more for each quiet window', 5, since(2 * WINDOW_MS), 4],
    ['no more than the configured one', 5, since(60 * WINDOW_MS), 5],
    ['what was learned and more, where none is configured', null, since(WINDOW_MS), 3],
  ])('is %s', (_title, configured, learned, expected) => {
    expect(limitInForce(configured, learned, WINDOW_MS, now)).toBe(expected);
  });
});

describe('after a 429 it is', () => {
  const told = (calls: number, windowMs = WINDOW_MS) => ({ calls, windowMs });

  it.each([
    ['what the text says', 5, told(3), 'user', 3],
    ['what the text says, in the window of the lane', null, told(5, WINDOW_MS / 10), 'user', 50],
    ['one less where the text says no less', 5, told(5), 'user', 4],
    ['one less where the text says nothing', 5, null, 'user', 4],
    ['one less where the text is about others too', 5, told(3), 'ip', 4],
    ['no more than a limit may be, whatever the text says', null, told(99_999_999, 1_000), 'user', 1_000_000],
    ['one at least', 1, told(0), 'user', 1],
    ['what the text says where there was none', null, told(3), 'user', 3],
    ['still none where nothing is told', null, null, 'api', null],
  ] as const)('%s', (_title, inForce, said, policy, expected) => {
    expect(loweredLimit(inForce, WINDOW_MS, said, policy)).toBe(expected);
  });
});
