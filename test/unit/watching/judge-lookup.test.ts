import { describe, expect, it } from '@jest/globals';
import { oneByOne } from '../../../src/domain/lookup.js';
import type { ClusterScan, ListPage } from '../../../src/upstream/scan-tasks.js';
import { askedAlone, judge } from '../../../src/watching/judge-lookup.js';

const unknownBefore = { knownStart: null, knownEnd: null };
const startedAt = new Date('2026-01-01T12:00:00Z');
const call = { startedAt, lookupOffset: 0, lookupSeen: [], lookupTaken: [] };
const clusters = [
  { clusterId: 'a', targetIds: [1n, 2n], ...unknownBefore },
  { clusterId: 'b', targetIds: [3n], ...unknownBefore },
];
const scan = (clusterId: string, scanStatus: ClusterScan['scanStatus']): ClusterScan => ({
  clusterId,
  scanStatus,
  startTime: new Date(startedAt.getTime() - 3_600_000),
  endTime: null,
  items: [],
});
const page = (rows: ClusterScan[], more: Partial<ListPage<ClusterScan>> = {}): ListPage<ClusterScan> => ({
  rows,
  rowsSeen: rows.length,
  total: null,
  nextOffset: null,
  ...more,
});

describe('judge', () => {
  it('is complete with the page on which the last cluster is found', () => {
    const judged = judge(call, clusters, page([scan('b', 'failed'), scan('a', 'scanning')], { nextOffset: 200 }), 0);
    expect(judged).toMatchObject({ complete: true, taken: [1n, 2n] });
  });

  it('goes on with the next page while one is missing', () => {
    const judged = judge(call, clusters, page([scan('a', 'failed')], { nextOffset: 200 }), 0);
    expect(judged).toEqual({ complete: false, isStuck: false, offset: 200, seen: [1n, 2n], taken: [] });
  });

  it('asks one by one for what no page showed', () => {
    const judged = judge(call, clusters, page([scan('a', 'failed')]), 0);
    expect(judged).toMatchObject({ complete: false, offset: oneByOne(0) });
    const next = askedAlone(clusters, { lookupOffset: judged.offset, lookupSeen: judged.seen });
    expect(next?.clusterId).toBe('b');
  });

  it('takes a cluster for gone that was asked for by itself and is not there', () => {
    const alone = { ...call, lookupOffset: oneByOne(0), lookupSeen: [1n, 2n] };
    expect(judge(alone, clusters, page([]), 0)).toMatchObject({ complete: true, taken: [] });
  });

  it('concludes nothing from a page with rows that nobody could read', () => {
    const alone = { ...call, lookupOffset: oneByOne(0), lookupSeen: [1n, 2n] };
    expect(judge(alone, clusters, page([], { rowsSeen: 1 }), 0)).toMatchObject({ complete: false, seen: [1n, 2n] });
  });

  it('asks again for a cluster whose row says nothing, and does not take it for gone', () => {
    const mute = { ...scan('b', null), startTime: null };
    expect(judge(call, clusters, page([scan('a', 'failed'), mute]), 0)).toMatchObject({
      offset: oneByOne(0),
      seen: [1n, 2n],
    });
    const alone = { ...call, lookupOffset: oneByOne(0), lookupSeen: [1n, 2n] };
    expect(judge(alone, clusters, page([mute]), 0)).toMatchObject({ complete: false, seen: [1n, 2n] });
  });

  it('asks for each of those that are missing in turn, however little one tells', () => {
    const mute = { ...scan('a', null), startTime: null };
    const first = judge({ ...call, lookupOffset: oneByOne(0) }, clusters, page([mute]), 0);
    expect(first).toMatchObject({ isStuck: false, offset: oneByOne(1) });
    const after = { ...call, lookupOffset: first.offset };
    expect(askedAlone(clusters, after)?.clusterId).toBe('b');
    const second = judge(after, clusters, page([scan('b', 'scanning')]), 0);
    expect(second).toMatchObject({ complete: false, isStuck: false, seen: [3n], taken: [3n] });
    const last = { ...call, lookupOffset: second.offset, lookupSeen: [...second.seen] };
    expect(askedAlone(clusters, last)?.clusterId).toBe('a');
    // All that are missing were asked for, and told nothing.
    expect(judge(last, clusters, page([mute]), 0)).toMatchObject({ isStuck: true });
  });

  it.each([
    ['runs', { taskStatus: 'running', failedClusters: 3 }, [7n]],
    ['has finished without a failure', { taskStatus: 'finished', failedClusters: 0 }, [7n]],
    ['has finished with failures, long ago', { taskStatus: 'finished', failedClusters: 3 }, []],
  ] as const)('says of a whole task that %s whether the call was carried out', (_title, said, taken) => {
    const old = { startTime: new Date(startedAt.getTime() - 3_600_000), endTime: null };
    const unsaid = { estimatedMinutes: null, scanningClusters: null, successClusters: null };
    const rows = [{ taskId: 'task', ...old, ...unsaid, ...said }];
    const whole = [{ clusterId: null, targetIds: [7n], ...unknownBefore }];
    const judged = judge(call, whole, { rows, rowsSeen: 1, total: null, nextOffset: null }, 0);
    expect(judged).toMatchObject({ complete: true, taken });
  });

  it('reads times in the upstream’s clock', () => {
    const recently = { ...scan('a', 'failed'), startTime: new Date(startedAt.getTime() + 60_000) };
    expect(judge(call, clusters, page([recently]), 0).taken).toEqual([1n, 2n]);
    expect(judge(call, clusters, page([recently]), 600_000).taken).toEqual([]);
  });
});
