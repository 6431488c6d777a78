import { describe, expect, it } from '@jest/globals';
import type { WatchedCluster } from '../../../src/ledger/verdicts.js';
import type { ClusterScan, ScanItem } from '../../../src/upstream/scan-tasks.js';
import { gone, tell } from '../../../src/watching/tell.js';

const sentAt = new Date('2026-08-01T12:00:00Z');
const at = (ms: number): Date => new Date(sentAt.getTime() + ms);
const now = at(60_000);
const GRACE_MS = 90_000;

const watched = (changed: Partial<WatchedCluster> = {}): WatchedCluster => ({
  clusterId: 'a',
  callId: 'call-1',
  startedAt: sentAt,
  acceptedAt: sentAt,
  effect: 'none',
  clockOffsetMs: 0,
  scanTypes: [0],
  round: 1,
  before: null,
  known: null,
  ...changed,
});
const item = (
  scanType: ScanItem['scanType'],
  status: ScanItem['status'],
  failedReason: string | null = null,
): ScanItem => ({
  scanType,
  status,
  failedReason,
});
const row = (items: readonly ScanItem[], changed: Partial<ClusterScan> = {}): ClusterScan => ({
  clusterId: 'a',
  scanStatus: items.some(({ status }) => status === 'failed') ? 'failed' : 'success',
  startTime: at(1_000),
  endTime: at(31_000),
  items,
  ...changed,
});

describe('what a page tells', () => {
  it('is nothing of clusters that are not in it', () => {
    expect(tell([watched({ clusterId: 'b' })], [row([])], null, now, GRACE_MS).told).toEqual([]);
  });

  it('is judged by the scan types that were wanted', () => {
    const rows = [row([item('benchmark', 'success'), item('cluster_vul', 'failed', 'no agent')])];
    const [told] = tell([watched({ scanTypes: [1, 4] })], rows, null, now, GRACE_MS).told;
    expect(told?.results[0]).toBe('scan_failed');
    expect(told?.results[1]).toBe('scan_failed');
    expect(told?.results[4]).toBe('succeeded');
    expect(told?.frees).toBe(true);
    expect([told?.texts[0], told?.texts[1], told?.texts[4]]).toEqual([
      'cluster_vul: no agent',
      'cluster_vul: no agent',
      null,
    ]);
  });

  it('frees no cluster of which one wanted scan type has none yet', () => {
    // All of it is of before: a success counts after the grace, a failure does not.
    const before = { startTime: at(-60_000), endTime: at(-30_000) };
    const rows = [row([item('benchmark', 'success'), item('cluster_vul', 'failed')], before)];
    const { told } = tell([watched({ scanTypes: [1, 4] })], rows, null, at(GRACE_MS), GRACE_MS);
    expect(told).toMatchObject([{ frees: false }]);
    expect([told[0]?.results[4], told[0]?.results[1]]).toEqual(['succeeded', null]);
  });

  it('is no verdict on any scan type as long as the cluster scans', () => {
    const items = [item('benchmark', 'success'), item('cluster_vul', 'scanning')];
    const rows = [row(items, { scanStatus: 'scanning', endTime: null })];
    const { told, effects, scanning } = tell([watched({ scanTypes: [4] })], rows, null, now, GRACE_MS);
    expect({ told, effects: [...effects], scanning }).toEqual({
      told: [],
      effects: [['call-1', 'renewed']],
      scanning: ['a'],
    });
  });

  it('is in the clock of the upstream', () => {
    const rows = [row([item('benchmark', 'failed')], { startTime: at(-60_000), endTime: at(-30_000) })];
    expect(tell([watched()], rows, 0, now, GRACE_MS).told).toEqual([]);
    expect(tell([watched()], rows, -120_000, now, GRACE_MS).told).toHaveLength(1);
    expect(tell([watched({ clockOffsetMs: -120_000 })], rows, null, now, GRACE_MS).told).toHaveLength(1);
  });

  it('counts the items that had failed before, with their reason then', () => {
    const rows = [row([item('benchmark', 'success'), item('cluster_vul', 'failed', 'again')])];
    const known = watched({ round: 2, before: { benchmark: 'Agent 12 offline' } });
    expect(tell([known], rows, null, now, GRACE_MS).retried).toEqual([
      { scanType: 'benchmark', reason: 'agent # offline', round: 2, succeeded: true },
    ]);
  });

  it('counts no item that had failed before and was not sent', () => {
    const rows = [row([item('benchmark', 'success'), item('cluster_vul', 'failed')])];
    const known = watched({ scanTypes: [4], before: { benchmark: 'a', cluster_vul: 'b' } });
    expect(tell([known], rows, null, now, GRACE_MS).retried).toEqual([
      { scanType: 'benchmark', reason: 'a', round: 1, succeeded: true },
    ]);
  });

  const alone = { scanType: 'benchmark', reason: 'unknown', round: 1, succeeded: true };
  const old = { startTime: at(-60_000), endTime: at(-30_000) };
  it.each<[string, readonly number[], ClusterScan, object[]]>([
    ['the only one that there is', [0], row([item('benchmark', 'success')]), [alone]],
    ['the only one that was sent', [4], row([item('benchmark', 'success'), item('cluster_vul', 'failed')]), [alone]],
    ['none of several: which had failed?', [0], row([item('benchmark', 'success'), item('cluster_vul', 'failed')]), []],
    ['none of several that were named', [1, 4], row([item('benchmark', 'failed'), item('cluster_vul', 'failed')]), []],
    ['none beside one of an unknown type', [0], row([item('benchmark', 'success'), item(null, 'success')]), []],
    ['none of a scan that may be the old one', [0], row([item('benchmark', 'success')], old), []],
  ])('of which nobody had read what failed counts %s', (_title, scanTypes, shown, expected) => {
    expect(tell([watched({ scanTypes })], [shown], null, at(GRACE_MS), GRACE_MS).retried).toEqual(expected);
  });

  it('is how long the scan took, from the sending on', () => {
    expect(tell([watched()], [row([item('benchmark', 'success')])], null, now, GRACE_MS).scanMs).toBe(31_000);
    expect(tell([watched()], [], null, now, GRACE_MS).scanMs).toBeNull();
  });
});

it('a cluster that is gone is not found, whatever was wanted of it', () => {
  expect(gone(watched())).toMatchObject({ frees: true, scan: null, items: [] });
  expect(new Set(gone(watched()).results)).toEqual(new Set(['not_found']));
});
