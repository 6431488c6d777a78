import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clockOffsetMs } from '../../../src/domain/upstream-clock.js';

it('never takes the upstream for further ahead than it is', () => {
  const ms = (max: number) => fc.integer({ min: 0, max });
  fc.assert(
    fc.property(
      fc.integer({ min: -900_000, max: 900_000 }),
      ms(15_000),
      ms(30_000),
      ms(30_000),
      (offset, before, there, back) => {
        const startedAt = new Date('2026-01-01T12:00:00.500Z');
        const answeredAt = startedAt.getTime() + before + there + offset;
        // Servers tell whole seconds.
        const serverDate = new Date(Math.floor(answeredAt / 1_000) * 1_000);
        const seen = clockOffsetMs(serverDate, startedAt, before + there + back);
        expect(seen).toBeLessThanOrEqual(offset);
        expect(seen).toBeGreaterThan(offset - back - 1_000);
      },
    ),
  );
});
