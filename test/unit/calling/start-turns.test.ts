import { describe, expect, it } from '@jest/globals';
import { StartTurns } from '../../../src/calling/start-turns.js';

type Turn = { kind: 'started' } | { kind: 'nothing' };
const started: Turn = { kind: 'started' };
const nothing: Turn = { kind: 'nothing' };

/** A start that ends when it is told to. */
function aStart(...results: Turn[]): { start: () => Promise<Turn>; end: () => Promise<void>; starts: () => number } {
  const ends: (() => void)[] = [];
  let starts = 0;
  return {
    starts: () => starts,
    start: () => {
      const result = results[starts] ?? nothing;
      starts += 1;
      return new Promise((resolve) => ends.push(() => resolve(result)));
    },
    end: async () => {
      ends.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe('starts of one lane in one process', () => {
  it('are taken one at a time, and whoever comes meanwhile is looked for once more', async () => {
    const turns = new StartTurns();
    const { start, end, starts } = aStart();
    const first = turns.take('lane', start);
    expect(await turns.take('lane', start)).toBeNull();
    expect(await turns.take('lane', start)).toBeNull();
    expect(starts()).toBe(1);
    await end();
    expect(starts()).toBe(2);
    await end();
    expect(await first).toBe(nothing);
    expect(starts()).toBe(2);
  });

  it('leave the looking once more to whoever started a call: he goes on anyway', async () => {
    const turns = new StartTurns();
    const { start, end, starts } = aStart(started);
    const first = turns.take('lane', start);
    await turns.take('lane', start);
    await end();
    expect(await first).toBe(started);
    expect(starts()).toBe(1);
  });

  it('do not wait for those of another lane, nor for one that failed', async () => {
    const turns = new StartTurns();
    const one = aStart();
    const other = aStart();
    void turns.take('one', one.start);
    void turns.take('other', other.start);
    expect([one.starts(), other.starts()]).toEqual([1, 1]);
    await expect(turns.take('third', () => Promise.reject(new Error('no database')))).rejects.toThrow('no database');
    expect(await turns.take('third', () => Promise.resolve(nothing))).toBe(nothing);
  });
});
