import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { afterVerdictPage, untilNextLookMs, type PassPosition } from '../../../src/domain/verdict-pass.js';

const start: PassPosition = { step: 'failed', offset: 0, askedAlone: 0 };
const last = { total: 10, nextOffset: null };
const more = (total: number, nextOffset = 200): { total: number; nextOffset: number } => ({ total, nextOffset });

describe('a pass over the clusters of a scan task', () => {
  it('ends with the last cluster that is watched', () => {
    expect(afterVerdictPage(start, more(4_000), 0)).toEqual({ kind: 'end' });
  });

  it('goes from failed clusters to successful ones, to those that scan, and then one by one', () => {
    const steps = ['failed', 'success', 'scanning'] as const;
    const followers = steps.map((step) => afterVerdictPage({ ...start, step }, last, 100));
    expect(followers).toEqual(
      ['success', 'scanning', 'alone'].map((step) => ({ kind: 'next', position: { ...start, step } })),
    );
  });

  it('reads on as long as pages are fewer than clusters', () => {
    expect(afterVerdictPage(start, more(1_000), 5)).toEqual({ kind: 'next', position: { ...start, offset: 200 } });
    expect(afterVerdictPage(start, more(1_000), 4)).toEqual({ kind: 'next', position: { ...start, step: 'alone' } });
    expect(afterVerdictPage(start, more(100_000), 21)).toMatchObject({ position: { offset: 200 } });
  });

  it('asks for a single one by itself instead of for the next page', () => {
    expect(afterVerdictPage(start, last, 1)).toMatchObject({ position: { step: 'alone' } });
    expect(afterVerdictPage(start, last, 2)).toMatchObject({ position: { step: 'success' } });
  });

  it('comes to its end whatever the pages say', () => {
    const page = fc.record({
      total: fc.option(fc.nat(5_000)),
      nextOffset: fc.option(fc.integer({ min: 200, max: 5_000 })),
    });
    fc.assert(
      fc.property(
        fc.array(page, { minLength: 60, maxLength: 60 }),
        fc.integer({ min: 1, max: 300 }),
        (pages, unseen) => {
          let position = start;
          for (const one of pages) {
            // Offsets grow, as those of the client do.
            const nextOffset = one.nextOffset !== null && one.nextOffset > position.offset ? one.nextOffset : null;
            const step = afterVerdictPage(position, { total: one.total, nextOffset }, unseen);
            if (step.kind === 'end') return;
            position = step.position;
          }
          expect(position).toBe('at its end');
        },
      ),
    );
  });
});

describe('the next look at a scan task', () => {
  const poll = { baseMs: 30_000, capMs: 600_000 };
  it.each([
    [{ soFarMs: 0, estimatedMinutes: null }, 30_000],
    [{ soFarMs: 400_000, estimatedMinutes: null }, 200_000],
    [{ soFarMs: 3_600_000, estimatedMinutes: null }, 600_000],
    [{ soFarMs: 3_600_000, estimatedMinutes: 2 }, 120_000],
    [{ soFarMs: 0, estimatedMinutes: 0 }, 30_000],
    [{ soFarMs: 0, estimatedMinutes: 500 }, 600_000],
  ])('%j is after %i ms', (situation, ms) => {
    expect(untilNextLookMs(situation, poll)).toBe(ms);
  });
});
