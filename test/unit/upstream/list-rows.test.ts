import { describe, expect, it } from '@jest/globals';
import { countOf, readClusterScan, readTaskSummary } from '../../../src/upstream/list-rows.js';

const asItIs = (raw: string): string => raw;
const at = Date.UTC(2026, 0, 1);

describe('a cluster', () => {
  it('is read with its items', () => {
    const row = {
      cluster_name: 'prod',
      cluster_id: 'c1',
      cluster_type: 'cce',
      scan_status: 'failed',
      start_time: at,
      end_time: at + 1_000,
      scan_detail_list: [
        { scan_type: 'cluster_vul', status: 'failed', failed_reason: 'agent offline' },
        { scan_type: 'benchmark', status: 'success' },
      ],
    };
    expect(readClusterScan(row, asItIs)).toEqual({
      clusterId: 'c1',
      scanStatus: 'failed',
      startTime: new Date(at),
      endTime: new Date(at + 1_000),
      items: [
        { scanType: 'cluster_vul', status: 'failed', failedReason: 'agent offline' },
        { scanType: 'benchmark', status: 'success', failedReason: null },
      ],
    });
  });

  const bare = { clusterId: 'c1', scanStatus: null, startTime: null, endTime: null, items: [] };

  it.each([
    ['nothing but its id', {}],
    ['nulls', { scan_status: null, start_time: null, end_time: null, scan_detail_list: null }],
    ['a status of tomorrow', { scan_status: 'queued' }],
    ['a status in capitals', { scan_status: 'FAILED' }],
    ['other types', { scan_status: 1, start_time: {}, end_time: [at], scan_detail_list: { scan_type: 'benchmark' } }],
    ['items that are none', { scan_detail_list: [null, 1, 'failed', []] }],
  ])('with %s', (_title, row) => {
    expect(readClusterScan({ cluster_id: 'c1', ...row }, asItIs)).toEqual(bare);
  });

  it('keeps an item whose type or status is of tomorrow', () => {
    const row = {
      cluster_id: 'c1',
      scan_detail_list: [{}, { scan_type: 'malware', status: 'failed', failed_reason: 7 }],
    };
    expect(readClusterScan(row, asItIs)?.items).toEqual([
      { scanType: null, status: null, failedReason: null },
      { scanType: null, status: 'failed', failedReason: null },
    ]);
  });

  it('has its reasons cleaned', () => {
    const row = { cluster_id: 'c1', scan_detail_list: [{ failed_reason: 'a' }, { failed_reason: '' }] };
    const items = readClusterScan(row, (raw) => (raw === '' ? null : `<${raw}>`))?.items;
    expect(items?.map(({ failedReason }) => failedReason)).toEqual(['<a>', null]);
  });
});

describe('a task', () => {
  it('is read with its numbers', () => {
    const row = {
      task_id: 't1',
      task_status: 'running',
      start_time: at,
      estimated_time: 7,
      cluster_scan_info: { scanning_cluster_num: 1, success_cluster_num: 20, failed_cluster_num: 300 },
    };
    expect(readTaskSummary(row, asItIs)).toEqual({
      taskId: 't1',
      taskStatus: 'running',
      startTime: new Date(at),
      endTime: null,
      estimatedMinutes: 7,
      scanningClusters: 1,
      successClusters: 20,
      failedClusters: 300,
    });
  });

  it.each([
    ['nothing but its id', {}],
    ['nulls', { task_status: null, estimated_time: null, cluster_scan_info: null }],
    ['other types', { task_status: ['ready'], estimated_time: 'soon', cluster_scan_info: [1] }],
    ['impossible numbers', { estimated_time: -1, cluster_scan_info: { failed_cluster_num: 1.5 } }],
  ])('with %s: the numbers are not known, which is not none', (_title, row) => {
    expect(readTaskSummary({ task_id: 't1', ...row }, asItIs)).toEqual({
      taskId: 't1',
      taskStatus: null,
      startTime: null,
      endTime: null,
      estimatedMinutes: null,
      scanningClusters: null,
      successClusters: null,
      failedClusters: null,
    });
  });
});

describe('rows that name nothing', () => {
  it.each([undefined, null, 7, '', '.', 'a b', 'a\u0000b', 'x'.repeat(65), ['c1']])('id %j', (id) => {
    expect(readClusterScan({ cluster_id: id, scan_status: 'failed' }, asItIs)).toBeNull();
    expect(readTaskSummary({ task_id: id, task_status: 'ready' }, asItIs)).toBeNull();
  });

  it.each([null, 'c1', 1, [], [{ cluster_id: 'c1' }]])('%j is no row', (row) => {
    expect(readClusterScan(row, asItIs)).toBeNull();
    expect(readTaskSummary(row, asItIs)).toBeNull();
  });
});

describe('a time', () => {
  it.each<[string, unknown, number | null]>([
    ['in milliseconds', at, at],
    ['as digits in a string', String(at), at],
    ['zero, for "not yet"', 0, null],
    ['in seconds: it would be older than any call', at / 1_000, null],
    ['negative', -at, null],
    ['past the year 9999', 253_402_300_800_000, null],
    ['without end', 1e300, null],
    ['as text', '2026-01-01T00:00:00Z', null],
  ])('%s', (_title, value, expected) => {
    const row = readClusterScan({ cluster_id: 'c1', start_time: value }, asItIs);
    expect(row?.startTime?.getTime() ?? null).toBe(expected);
  });
});

it.each<[unknown, number | null]>([
  [0, 0],
  ['450', 450],
  [-1, null],
  [0.5, null],
  [1e300, null],
  ['', null],
  [' 1', null],
  [true, null],
  [null, null],
])('the count %j is %j', (value, expected) => expect(countOf(value)).toBe(expected));
