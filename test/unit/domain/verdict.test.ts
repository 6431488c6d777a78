import { describe, expect, it } from '@jest/globals';
import { judgeScan, normalisedReason, type CallEffect } from '../../../src/domain/verdict.js';
import type { KnownScan, SeenScan } from '../../../src/domain/fate.js';

const GRACE_MS = 90_000;
const sentAt = new Date('2026-08-01T12:00:00Z');
const at = (ms: number): Date => new Date(sentAt.getTime() + ms);
const OLD = -600_000;

interface Situation {
  readonly afterMs?: number;
  readonly effect?: CallEffect;
  readonly itemsScan?: boolean;
  readonly known?: KnownScan | null;
}

const judge = (
  status: SeenScan['status'],
  endedMs: number | null,
  { afterMs = 30_000, effect = 'none', itemsScan = false, known = null }: Situation = {},
): [string | null, string] => {
  const scan = { status, startTime: null, endTime: endedMs === null ? null : at(endedMs), itemsScan };
  const { verdict, effect: shown } = judgeScan(
    scan,
    { sentAt, acceptedAt: sentAt, effect, known },
    at(afterMs),
    GRACE_MS,
  );
  return [verdict, shown];
};

describe('a row with a time after the sending', () => {
  it.each([
    ['success', 'succeeded'],
    ['failed', 'scan_failed'],
    ['scanning', null],
    [null, null],
  ] as const)('that says %s is the verdict %s', (status, verdict) => {
    expect(judge(status, 20_000)).toEqual([verdict, 'renewed']);
  });

  it('is none as long as one of the items scans', () => {
    expect(judge('failed', 20_000, { itemsScan: true })).toEqual([null, 'renewed']);
  });
});

it('a row that a verdict was read of before is not a new one, though it ended just before the sending', () => {
  expect(judge('failed', -1_000)).toEqual(['scan_failed', 'renewed']);
  expect(judge('failed', -1_000, { known: { startTime: null, endTime: at(-1_000) } })).toEqual([null, 'none']);
  expect(judge('failed', -1_000, { known: { startTime: null, endTime: at(-9_000) } })).toEqual([
    'scan_failed',
    'renewed',
  ]);
});

describe('a row of before', () => {
  it('of a failure is no verdict, however long it has been so', () => {
    expect(judge('failed', OLD)).toEqual([null, 'none']);
    expect(judge('failed', OLD, { afterMs: 24 * 3_600_000 })).toEqual([null, 'none']);
    expect(judge('failed', OLD, { afterMs: 24 * 3_600_000, effect: 'renewed' })).toEqual([null, 'none']);
    expect(judge('failed', OLD, { afterMs: 24 * 3_600_000, effect: 'seen' })).toEqual([null, 'none']);
  });

  it('of a failure is one where the upstream leaves times as they were, after the grace', () => {
    expect(judge('failed', OLD, { effect: 'kept' })).toEqual([null, 'none']);
    expect(judge('failed', OLD, { effect: 'kept', afterMs: GRACE_MS })).toEqual(['scan_failed', 'none']);
  });

  it('of a success is one after the grace: the cluster had failed', () => {
    expect(judge('success', OLD)).toEqual([null, 'none']);
    expect(judge('success', null)).toEqual([null, 'none']);
    expect(judge('success', OLD, { afterMs: GRACE_MS })).toEqual(['succeeded', 'seen']);
  });

  it('that scans shows the effect of the call', () => {
    expect(judge('scanning', OLD)).toEqual([null, 'seen']);
  });
});

it.each([
  ['Agent 10.1.2.3 offline', 'agent #.#.#.# offline'],
  ['no node in 6204a5bd270343b5885144cf9c8c158d', 'no node in #'],
  ['job  3f2504e0-4f89-11d3-9a0c-0305e82c3301\nfailed', 'job # failed'],
  [null, 'none'],
  ['   ', 'none'],
])('takes %j and its like as one reason', (reason, normalised) => {
  expect(normalisedReason(reason)).toBe(normalised);
  expect(normalisedReason('x'.repeat(500))).toHaveLength(80);
});
