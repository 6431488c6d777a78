import { expect, it } from '@jest/globals';
import { submissionMeaning, type Submission } from '../../../src/domain/request.js';
import { fromMask, SCAN_TYPES, toMask } from '../../../src/domain/scan-type.js';
import fc from 'fast-check';

const submission: Submission = {
  projectId: 'p',
  enterpriseProjectId: '0',
  taskId: 't',
  range: 'specific_cluster',
  clusterIds: ['a', 'b'],
  scanTypes: [],
  priority: 'normal',
  deadline: null,
  maxRounds: 1,
  labels: { x: '1', y: '2' },
  callbackUrl: null,
};

it('means the same in whatever order the labels stand', () => {
  expect(submissionMeaning({ ...submission, labels: { y: '2', x: '1' } })).toBe(submissionMeaning(submission));
});

it.each<[string, Partial<Submission>]>([
  ['another project', { projectId: 'q' }],
  ['another enterprise project', { enterpriseProjectId: '1' }],
  ['another task', { taskId: 'u' }],
  ['another range', { range: 'all_failed_cluster', clusterIds: [] }],
  ['one cluster less', { clusterIds: ['a'] }],
  ['scan types', { scanTypes: ['benchmark'] }],
  ['another priority', { priority: 'urgent' }],
  ['a deadline', { deadline: new Date(1) }],
  ['more rounds', { maxRounds: 2 }],
  ['another label', { labels: { x: '1', y: '3' } }],
  ['a callback', { callbackUrl: 'https://caller.example/told' }],
])('means something else with %s', (_title, changed) => {
  expect(submissionMeaning({ ...submission, ...changed })).not.toBe(submissionMeaning(submission));
});

it('keeps scan types as bits, and none as every failed item', () => {
  fc.assert(
    fc.property(fc.subarray([...SCAN_TYPES], { minLength: 1 }), (types) => {
      expect(fromMask(toMask(types))).toEqual(types);
    }),
  );
  expect(fromMask(toMask([]))).toBeNull();
});
