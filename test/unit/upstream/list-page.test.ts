import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Answer } from '../../../src/upstream/answer.js';
import type { ClassifyContext } from '../../../src/upstream/classify.js';
import { clusterScans, readList, taskSummaries } from '../../../src/upstream/list-page.js';
import type { ListOutcome } from '../../../src/upstream/scan-tasks.js';

const context: ClassifyContext = { clusters: 0, errorClasses: new Map(), secrets: ['SK1'] };
const firstPage = { offset: 0, limit: 200 };

const anAnswer = (body: unknown, more: Partial<Answer> = {}): Answer => ({
  status: 200,
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
  cut: null,
  ...more,
});
const read = (body: unknown, more: Partial<Answer> = {}, page = firstPage): ListOutcome<unknown> =>
  readList(anAnswer(body, more), context, page, clusterScans);

const rows = (count: number): object[] => Array.from({ length: count }, (_, n) => ({ cluster_id: `c${n}` }));
const list = (count: number, total?: unknown): object => ({ total_num: total, cluster_scan_data_list: rows(count) });

/** The outcome in two words; of a page its rows, of which seen, and where the next begins. */
function inShort(outcome: ListOutcome<unknown>): string {
  if (outcome.kind === 'read') {
    const { page } = outcome;
    return `read ${page.rows.length}/${page.rowsSeen} of ${page.total}, next ${page.nextOffset}`;
  }
  const detail = 'cause' in outcome ? outcome.cause : 'by' in outcome ? outcome.by : '';
  return `${outcome.kind} ${detail}`.trim();
}

describe('a page', () => {
  it.each<[string, unknown, string]>([
    ['of a list that ends with it', list(3, 3), 'read 3/3 of 3, next null'],
    ['that is full', list(200, 450), 'read 200/200 of 450, next 200'],
    ['that is full, and the last', list(200, 200), 'read 200/200 of 200, next null'],
    ['that is full, of nobody knows how many', list(200), 'read 200/200 of null, next 200'],
    ['that is not full, of nobody knows how many', list(199), 'read 199/199 of null, next null'],
    ['that the upstream made shorter than asked for', list(100, 450), 'read 100/100 of 450, next 100'],
    ['that is longer than asked for', list(450, 450), 'read 450/450 of 450, next null'],
    ['of a total that is smaller than the page', list(3, 1), 'read 3/3 of 1, next null'],
    ['of an unreadable total', list(3, 'many'), 'read 3/3 of null, next null'],
    ['with nothing in it', list(0, 0), 'read 0/0 of 0, next null'],
    ['with nothing in it and no total', list(0), 'read 0/0 of null, next null'],
    ['with fields that nobody knows', { ...list(1, 1), trace: {} }, 'read 1/1 of 1, next null'],
    ['whose error code says nothing', { ...list(1, 1), error_code: null, error_msg: '' }, 'read 1/1 of 1, next null'],
    ['with a byte order mark', `\uFEFF ${JSON.stringify(list(1, 1))}\n`, 'read 1/1 of 1, next null'],
    [
      'with rows that name nothing',
      { cluster_scan_data_list: [...rows(2), {}, null, { cluster_id: '' }] },
      'read 2/5 of null, next null',
    ],
    ['left out, of a list that says it is empty', { total_num: 0 }, 'read 0/0 of 0, next null'],
    [
      'null, of a list that says it is empty',
      { total_num: 0, cluster_scan_data_list: null },
      'read 0/0 of 0, next null',
    ],
  ])('%s', (_title, body, expected) => expect(inShort(read(body))).toBe(expected));

  it.each<[number, object, string]>([
    [400, list(50, 450), 'read 50/50 of 450, next null'],
    [200, list(200, 450), 'read 200/200 of 450, next 400'],
    // The list has become shorter since the page before.
    [400, list(0, 390), 'read 0/0 of 390, next null'],
    [400, list(0), 'read 0/0 of null, next null'],
  ])('from %d on', (offset, body, expected) => expect(inShort(read(body, {}, { offset, limit: 200 }))).toBe(expected));

  it('of tasks stands under another name', () => {
    const body = { total_num: 1, data_list: [{ task_id: 't1' }] };
    expect(inShort(readList(anAnswer(body), context, firstPage, taskSummaries))).toBe('read 1/1 of 1, next null');
    expect(inShort(read(body))).toBe('unknown contradiction');
  });

  it('brings its status and request id as evidence, and none of its text', () => {
    expect(read(list(1, 1), { headers: { 'x-request-id': 'r-1' } })).toMatchObject({
      evidence: { httpStatus: 200, errorCode: null, errorText: null, upstreamRequestId: 'r-1' },
    });
  });

  it('has reasons without secrets, on one line and of 500 characters at most', () => {
    const scan_detail_list = ['used SK1\nto sign', 'no '.repeat(1_000)].map((failed_reason) => ({ failed_reason }));
    const outcome = readList(
      anAnswer({ cluster_scan_data_list: [{ cluster_id: 'c1', scan_detail_list }] }),
      context,
      firstPage,
      clusterScans,
    );
    const reasons = outcome.kind === 'read' ? outcome.page.rows[0]?.items.map((item) => item.failedReason) : [];
    expect(reasons?.[0]).toBe('used [secret] to sign');
    expect(reasons?.[1]?.length).toBeLessThanOrEqual(500);
  });
});

describe('what is not surely a list is never an empty one', () => {
  it.each<[string, unknown, Partial<Answer>, string]>([
    ['nothing at all', '', {}, 'unknown contradiction'],
    ['204', '', { status: 204 }, 'unknown contradiction'],
    ['no JSON', '<html>login</html>', {}, 'unknown contradiction'],
    ['half of its JSON', '{"total_num":3,"cluster_scan_data_list":[', {}, 'unknown contradiction'],
    ['JSON that is no object', '[]', {}, 'unknown contradiction'],
    ['no list', {}, {}, 'unknown contradiction'],
    ['no list, and a total', { total_num: 3 }, {}, 'unknown contradiction'],
    [
      'a list that is none',
      { total_num: 1, cluster_scan_data_list: { cluster_id: 'c1' } },
      {},
      'unknown contradiction',
    ],
    ['null', { cluster_scan_data_list: null }, {}, 'unknown contradiction'],
    ['an empty list of three', list(0, 3), {}, 'unknown contradiction'],
    ['rows of which none has an id', { cluster_scan_data_list: [{}, { id: 'c1' }] }, {}, 'unknown contradiction'],
    ['an error code beside it', { ...list(0, 0), error_code: 'HSS.1004' }, {}, 'unknown contradiction'],
    ["IAM's error beside it", { ...list(0, 0), error: { code: 401 } }, {}, 'unknown contradiction'],
    ['a cut', list(0, 0), { cut: 'reset' }, 'unknown truncated'],
    ['too long a page', list(1, 1), { cut: 'too_long' }, 'unknown truncated'],
    ['too slow a page', list(1, 1), { cut: 'timeout' }, 'unknown timeout'],
    ['another status', list(0, 0), { status: 302 }, 'blocked endpoint'],
    ['a server error', list(0, 0), { status: 500 }, 'unknown gateway'],
    ['an unknown task', { error_code: 'HSS.0011' }, { status: 400 }, 'rejected'],
    ['a throttled call', { error_code: 'APIGW.0308' }, { status: 429 }, 'throttled'],
    ['a dead token', { error_code: 'APIGW.0307' }, { status: 401 }, 'blocked authentication'],
    // A RetryTask call of several clusters would be half done; reading leaves nothing half done.
    ['a query that failed', { error_code: 'HSS.1004' }, { status: 400 }, 'unavailable'],
  ])('%s', (_title, body, more, expected) => expect(inShort(read(body, more))).toBe(expected));

  it('the head of it is evidence', () => {
    const { evidence } = read(`<html>${'login '.repeat(100_000)}</html>`);
    expect(evidence.errorText).toMatch(/^login login/);
    expect(evidence.errorText!.length).toBeLessThanOrEqual(500);
  });
});

const field = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('c1', 'failed', 0, 1e300));
const anObject = (names: readonly string[], value: fc.Arbitrary<unknown>) =>
  fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 });
const row = anObject(
  ['cluster_id', 'task_id', 'scan_status', 'start_time', 'scan_detail_list', 'cluster_scan_info'],
  fc.oneof(field, fc.array(anObject(['scan_type', 'status', 'failed_reason'], field), { maxLength: 3 })),
);
const rowsOrNot = fc.oneof(fc.array(fc.oneof(row, field), { maxLength: 12 }), field);
const page = fc.record(
  { total_num: fc.oneof(fc.nat(500), field), data_list: rowsOrNot, cluster_scan_data_list: rowsOrNot },
  { requiredKeys: [] },
);

it('never throws, whatever JSON or text comes, and a page never holds more rows than came', () => {
  const body = fc.oneof(
    page.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  );
  fc.assert(
    fc.property(body, fc.constantFrom(200, 204, 400, 500), fc.nat(400), (text, status, offset) => {
      const answer = anAnswer(text, { status });
      const outcomes: ListOutcome<unknown>[] = [
        readList(answer, context, { offset, limit: 10 }, clusterScans),
        readList(answer, context, { offset, limit: 10 }, taskSummaries),
      ];
      for (const outcome of outcomes) {
        if (outcome.kind !== 'read') continue;
        const { rows: found, rowsSeen, total, nextOffset } = outcome.page;
        expect(found.length).toBeLessThanOrEqual(rowsSeen);
        // Whoever follows the pages gets on, and to an end.
        if (nextOffset !== null) expect(nextOffset).toBeGreaterThan(offset);
        if (found.length === 0) expect(total ?? 0).toBeLessThanOrEqual(offset);
      }
    }),
    { numRuns: 500 },
  );
});
