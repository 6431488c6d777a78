import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { answerFaults } from '../../e2e/bad-input/answer-faults.js';
import { readCases, type BadInputCase } from '../../e2e/bad-input/bad-input-case.js';
import { caseRunner, type CaseRunner } from '../../e2e/bad-input/run-case.js';
import { KNOWN_ID, KNOWN_LANE, startSampleApp, type SampleApp } from './sample-app.js';

/** The sample has no keys, no projects, and only some of the routes: these cases need neither. */
const GROUPS = [
  'path',
  'path-id',
  'unknown-route',
  'media-type',
  'json',
  'size',
  'submit',
  'clusters',
  'idempotency-key',
  'list-limit',
  'list-parameter',
  'no-body',
  'raw-http',
];
const NEEDS_MORE = /scanTypes|priority|in the past|no credential|specific_cluster without|all_failed_cluster with/;
const ROUTES = /^\/v1\/requests(\?|$)|^\/v1\/requests\/[^/]*(\/(cancel|replay))?$|^\/v1\/lanes\/[^/]*\/pause$/;

const cases = readCases().filter(isForTheSample);

let sample: SampleApp;
let run: CaseRunner;

beforeAll(async () => {
  sample = await startSampleApp();
  const key = 'k'.repeat(40);
  run = caseRunner({
    baseUrl: sample.url,
    keys: { good: key, unknown: key, readonly: key, schedules: key, oneproject: key, othercaller: key },
    placeholders: { requestId: KNOWN_ID, callId: KNOWN_ID, laneId: KNOWN_LANE, projectId: 'p1', taskId: 't1' },
  });
});

afterAll(() => sample.app.close());

describe('bad input', () => {
  it.each(cases.map((badInput) => [`${badInput.group}: ${badInput.name}`, badInput] as const))(
    '%s',
    async (_title, badInput) => {
      expect(answerFaults(badInput, await run(badInput))).toEqual([]);
    },
  );

  it('is never a fault of the service', () => {
    expect(sample.lines).toEqual([]);
  });

  it('has more than 200 cases, each with a name of its own', () => {
    const names = readCases().map(({ group, name }) => `${group}: ${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(200);
    expect(cases.length).toBeGreaterThan(200);
  });
});

function isForTheSample(badInput: BadInputCase): boolean {
  if (!GROUPS.includes(badInput.group) || NEEDS_MORE.test(badInput.name)) return false;
  if ('raw' in badInput || ['path', 'unknown-route'].includes(badInput.group)) return true;
  return typeof badInput.path !== 'string' || ROUTES.test(badInput.path);
}
