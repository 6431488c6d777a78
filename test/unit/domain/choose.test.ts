import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { charged, inOrder, type Head, type Queue, type Share } from '../../../src/domain/choose.js';

const now = new Date('2026-01-01T12:00:00Z');
const ago = (ms: number): Date => new Date(now.getTime() - ms);
const MINUTE_MS = 60_000;
let heads = 0;

const aHead = (changed: Partial<Head> = {}): Head => {
  heads += 1;
  const requestId = `request-${String(heads).padStart(6, '0')}`;
  return {
    requestId,
    scanTaskId: 1n,
    caller: 'a',
    priority: 1,
    dueAt: ago(1_000),
    deadline: null,
    goesAlone: false,
    ...changed,
  };
};
const aQueue = (list: readonly Head[], shares: Record<string, Partial<Share>> = {}, virtualTime = 0): Queue => ({
  heads: list,
  shares: new Map(
    Object.entries(shares).map(([caller, share]) => [caller, { weight: 1, served: 0, urgentServed: 0, ...share }]),
  ),
  virtualTime,
  now,
});
const first = (queue: Queue): Head => {
  const [head] = inOrder(queue);
  if (!head) throw new Error('nobody waits');
  return head;
};
/** So many calls, one after the other, with everybody always having more. */
function callersOf(calls: number, queue: Queue): string[] {
  const shares = new Map(queue.shares);
  let { virtualTime } = queue;
  return Array.from({ length: calls }, () => {
    const before = { ...queue, shares, virtualTime };
    const head = first(before);
    const paid = charged(before, head);
    shares.set(head.caller, paid.share);
    ({ virtualTime } = paid);
    return `${head.caller}${head.priority === 0 ? '!' : ''}`;
  });
}
const count = (list: readonly string[], one: string): number => list.filter((caller) => caller === one).length;

describe('whose turn it is', () => {
  it.each<[string, Partial<Head>, Partial<Head>]>([
    ['the more urgent', { priority: 0 }, { priority: 1, dueAt: ago(9 * MINUTE_MS) }],
    ['normal before background', { priority: 1 }, { priority: 2, dueAt: ago(9 * MINUTE_MS) }],
    ['background that has waited ten minutes, by its age', { priority: 2, dueAt: ago(11 * MINUTE_MS) }, {}],
    ['urgent work, however long other work has waited', { priority: 0 }, { dueAt: ago(100 * MINUTE_MS) }],
    ['the nearest deadline', { deadline: ago(-MINUTE_MS) }, { deadline: ago(-2 * MINUTE_MS), dueAt: ago(5_000) }],
    ['a deadline before none', { deadline: ago(-MINUTE_MS) }, { dueAt: ago(5_000) }],
    ['the longest wait', { dueAt: ago(5_000) }, { dueAt: ago(4_000) }],
  ])('%s', (_title, before, after) => {
    const [wins, loses] = [aHead(before), aHead(after)];
    expect(inOrder(aQueue([loses, wins]))).toEqual([wins, loses]);
  });

  it('the caller who has had least, before deadlines and age', () => {
    const [served, poor] = [aHead({ dueAt: ago(9_000), deadline: ago(-1_000) }), aHead({ caller: 'b' })];
    expect(first(aQueue([served, poor], { a: { served: 7 }, b: { served: 6 } }, 6))).toBe(poor);
  });

  it('gives each caller its turn, and one of double weight two', () => {
    const list = ['a', 'b', 'c'].map((caller) => aHead({ caller }));
    const turns = callersOf(40, aQueue(list, { c: { weight: 2 } }));
    const [a, b, c] = ['a', 'b', 'c'].map((caller) => count(turns, caller));
    expect([a, b, c]).toEqual([10, 10, 20]);
  });

  it('starts a newcomer where those who wait are: it neither has the past to claim nor waits for it', () => {
    const list = [aHead({ caller: 'a' }), aHead({ caller: 'new' })];
    const turns = callersOf(10, aQueue(list, { a: { served: 1_000 } }, 1_000));
    expect(count(turns, 'new')).toBe(5);
  });

  it('is not held by work in the background: nobody has the time to claim in which that could not go', () => {
    const busy = aHead();
    const inTheBackground = aHead({ caller: 'b', priority: 2 });
    let queue = aQueue([busy, inTheBackground]);
    for (let calls = 0; calls < 45; calls += 1) {
      const head = first(queue);
      expect(head).toBe(busy);
      const paid = charged(queue, head);
      queue = { ...queue, shares: new Map([...queue.shares, ['a', paid.share]]), virtualTime: paid.virtualTime };
    }
    const raised = { ...inTheBackground, dueAt: ago(11 * MINUTE_MS) };
    const turns = callersOf(12, { ...queue, heads: [busy, raised, aHead({ caller: 'new' })] });
    expect(['a', 'b', 'new'].map((caller) => count(turns, caller))).toEqual([4, 4, 4]);
  });

  it('keeps no account of the time in which a caller was alone', () => {
    let queue = aQueue([aHead()]);
    for (let calls = 0; calls < 6; calls += 1) {
      const paid = charged(queue, first(queue));
      queue = { ...queue, shares: new Map([['a', paid.share]]), virtualTime: paid.virtualTime };
    }
    const large = aHead({ caller: 'large', dueAt: ago(2_000) });
    expect(callersOf(2, { ...queue, heads: [large, aHead()] })).toEqual(['large', 'a']);
  });

  it('gives urgent work half of a share while others wait, and all of it while nobody does', () => {
    const urgent = aHead({ priority: 0 });
    const both = [urgent, aHead({ caller: 'b' })];
    const turns = callersOf(60, aQueue(both));
    // Half of its share comes first; as normal work, it then has the rest of it.
    expect(count(turns, 'a!')).toBe(30);
    const withNormal = callersOf(60, aQueue([...both, aHead({ dueAt: ago(60_000) })]));
    expect([count(withNormal, 'a!'), count(withNormal, 'a'), count(withNormal, 'b')]).toEqual([15, 15, 30]);
    expect(count(callersOf(10, aQueue([urgent, aHead()])), 'a!')).toBe(10);
  });

  it('delays a newcomer by at most one call of each other caller, whatever they have had', () => {
    const other = fc.record({ served: fc.float({ min: 0, max: 3, noNaN: true }), priority: fc.constantFrom(1, 2) });
    fc.assert(
      fc.property(fc.array(other, { maxLength: 12 }), (others) => {
        const list = others.map(({ priority }, n) => aHead({ caller: `other-${n}`, priority, dueAt: ago(60_000) }));
        const shares = Object.fromEntries(others.map(({ served }, n) => [`other-${n}`, { served: served + 5 }]));
        const least = Math.min(...others.map(({ served }) => served + 5), 8);
        const turns = callersOf(others.length + 1, aQueue([...list, aHead({ caller: 'new' })], shares, least));
        expect(turns).toContain('new');
      }),
    );
  });
});
