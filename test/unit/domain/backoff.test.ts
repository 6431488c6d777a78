import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../../src/domain/backoff.js';

const policy = { baseMs: 15_000, capMs: 900_000 };

it('waits between half of a doubling ceiling and the whole of it, up to the cap', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 0.999_999, noNaN: true }),
      (attempt, chance) => {
        const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
        const waitMs = backoffMs(attempt, policy, () => chance);
        expect(waitMs).toBeGreaterThanOrEqual(ceiling / 2);
        expect(waitMs).toBeLessThanOrEqual(ceiling);
        expect(Number.isInteger(waitMs)).toBe(true);
      },
    ),
  );
});

it('never repeats at once', () => {
  expect(backoffMs(1, policy, () => 0)).toBe(7_500);
});
