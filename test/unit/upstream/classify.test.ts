import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ErrorClass } from '../../../src/config/app-config.js';
import type { CallOutcome } from '../../../src/domain/call-outcome.js';
import type { Answer } from '../../../src/upstream/answer.js';
import { classifyAnswer, classifyFailure, type ClassifyContext } from '../../../src/upstream/classify.js';

const several: ClassifyContext = { clusters: 200, errorClasses: new Map(), secrets: [] };
const single: ClassifyContext = { ...several, clusters: 1 };
const wholeTask: ClassifyContext = { ...several, clusters: null };

function anAnswer(status: number, body = '', more: Partial<Answer> = {}): Answer {
  return { status, headers: {}, body, cut: null, ...more };
}

/** The gateway's shape. */
const apigw = (code: string, text = 'text'): string =>
  JSON.stringify({ error_msg: text, error_code: code, request_id: 'r-1' });
/** HSS's shape. */
const hss = (code: string): string => JSON.stringify({ error_code: code, error_description: 'd', error_msg: '任务' });

/** An outcome in one word or two, without its evidence. */
function inShort(outcome: CallOutcome): string {
  switch (outcome.kind) {
    case 'unavailable':
      return `unavailable${outcome.slow ? ' slow' : ''}${outcome.costsAttempt ? ' costs' : ' free'}`;
    case 'blocked':
      return `blocked ${outcome.by}`;
    case 'rejected':
      return `rejected ${outcome.blames}${outcome.alarm ? ' alarm' : ''}`;
    case 'not_sent':
    case 'unknown':
      return `${outcome.kind} ${outcome.cause}`;
    case 'throttled':
      return `throttled ${outcome.policy}`;
    case 'accepted':
      return 'accepted';
  }
}

const classified = (answer: Answer, context = several): string => inShort(classifyAnswer(answer, context));

describe('a success', () => {
  it.each<[string, Answer, string]>([
    ['200 with nothing', anAnswer(200), 'accepted'],
    ['202 with nothing', anAnswer(202), 'accepted'],
    ['204', anAnswer(204), 'accepted'],
    ['200 with an empty object', anAnswer(200, '{}'), 'accepted'],
    ['200 with a body that names no error', anAnswer(200, '{"error_code":null,"task_id":"t"}'), 'accepted'],
    ['200 with a code of HSS', anAnswer(200, hss('HSS.1005')), 'unknown contradiction'],
    ['200 with a code of the gateway', anAnswer(200, apigw('APIGW.0308')), 'unknown contradiction'],
    ["200 in IAM's shape", anAnswer(200, '{"error":{"code":401,"message":"m"}}'), 'unknown contradiction'],
    ['200 that was cut off', anAnswer(200, '', { cut: 'reset' }), 'unknown truncated'],
    ['200 that went on for too long', anAnswer(200, 'x', { cut: 'too_long' }), 'unknown truncated'],
    ['200 that was too slow', anAnswer(200, '', { cut: 'timeout' }), 'unknown timeout'],
  ])('%s', (_title, answer, expected) => expect(classified(answer)).toBe(expected));
});

describe('a code of HSS at 400', () => {
  it.each<[code: string, several: string, single: string]>([
    ['HSS.0001', 'rejected cluster', 'rejected cluster'],
    ['HSS.0002', 'rejected cluster', 'rejected cluster'],
    ['HSS.1021', 'rejected cluster', 'rejected cluster'],
    ['HSS.9999', 'rejected cluster', 'rejected cluster'],
    ['HSS.0010', 'rejected task', 'rejected task'],
    ['HSS.0011', 'rejected task', 'rejected task'],
    ['HSS.0013', 'rejected task alarm', 'rejected task alarm'],
    ['00000010', 'rejected task', 'rejected task'],
    ['00000011', 'rejected cluster', 'rejected cluster'],
    ['HSS.1007', 'unknown partial', 'unavailable slow costs'],
    ['HSS.1004', 'unknown partial', 'unavailable costs'],
    ['HSS.1006', 'unknown partial', 'unavailable costs'],
    ['HSS.1008', 'unknown partial', 'unavailable costs'],
  ])('%s is %s, of one cluster %s', (code, ofSeveral, ofOne) => {
    expect(classified(anAnswer(400, hss(code)))).toBe(ofSeveral);
    expect(classified(anAnswer(400, hss(code)), single)).toBe(ofOne);
    expect(classified(anAnswer(400, hss(code)), wholeTask)).toBe(ofSeveral);
  });

  it.each([401, 403, 404])('a known one means the same at %d', (status) => {
    expect(classified(anAnswer(status, hss('HSS.0011')))).toBe('rejected task');
    expect(classified(anAnswer(status, hss('HSS.0001')))).toBe('rejected cluster');
  });

  it('an unknown one at 404 is the endpoint, not the task', () => {
    expect(classified(anAnswer(404, hss('HSS.9999')))).toBe('blocked endpoint');
  });
});

describe('a code of the gateway', () => {
  const rows: [codes: string[], statuses: number[], expected: string][] = [
    [['0605', '0606', '0608', '0609', '0610', '0611', '0613'], [500, 502, 503, 504], 'unavailable free'],
    [['0201', '0202', '0203', '0601', '0602', '0999', '0301'], [500, 502, 503, 504], 'unknown gateway'],
    [['0308'], [429, 400, 503], 'throttled user'],
    [['0301', '0303', '0305', '0307'], [401, 400], 'blocked authentication'],
    [
      ['0101', '0106', '0302', '0304', '0306', '0310', '0401', '0402', '0404', '0501', '0502', '0802'],
      [400, 401, 403, 404, 405],
      'blocked endpoint',
    ],
    [['0201'], [400, 413, 414, 494], 'rejected task alarm'],
    [['0777'], [400, 403], 'blocked endpoint'],
    [['0777'], [401], 'blocked authentication'],
  ];
  const cases = rows.flatMap(([codes, statuses, expected]) =>
    codes.flatMap((code) => statuses.map((status): [string, number, string] => [code, status, expected])),
  );

  it.each(cases)('%s at %d is %s, with either prefix', (number, status, expected) => {
    expect(classified(anAnswer(status, apigw(`APIGW.${number}`)))).toBe(expected);
    expect(classified(anAnswer(status, apigw(`APIG.${number}`)))).toBe(expected);
  });
});

describe('a status without a code', () => {
  it.each<[statuses: number[], expected: string]>([
    [[300, 301, 302, 303, 304, 307, 308], 'blocked endpoint'],
    [[402, 403, 404, 405, 407, 421, 426, 451], 'blocked endpoint'],
    [[401], 'blocked authentication'],
    [[429], 'throttled user'],
    [[400, 406, 409, 410, 411, 413, 414, 415, 422, 431, 494], 'rejected task alarm'],
    [[408, 499, 500, 501, 502, 503, 504, 507, 520, 599, 600, 999], 'unknown gateway'],
  ])('%j is %s, be the body empty, text or HTML', (statuses, expected) => {
    for (const status of statuses) {
      expect(classified(anAnswer(status))).toBe(expected);
      expect(classified(anAnswer(status, 'upstream connect error'))).toBe(expected);
      expect(classified(anAnswer(status, '<html><body><h1>nginx</h1></body></html>'))).toBe(expected);
      expect(classified(anAnswer(status, '{"unfinished": '))).toBe(expected);
    }
  });

  it('HSS.0041 at 500 is looked up like any other 5xx', () => {
    expect(classified(anAnswer(500, hss('HSS.0041')))).toBe('unknown gateway');
    expect(classified(anAnswer(500, hss('HSS.0001')))).toBe('unknown gateway');
  });
});

describe('a body that was not read to its end', () => {
  it.each([400, 401, 403, 429, 500, 502])('cut off by the other side, %d is unknown whatever it had said', (status) => {
    expect(classified(anAnswer(status, hss('HSS.0010'), { cut: 'reset' }))).toBe('unknown truncated');
    expect(classified(anAnswer(status, hss('HSS.0010'), { cut: 'timeout' }))).toBe('unknown timeout');
  });

  it('cut by us, an error keeps the class of its status and of the code at its head', () => {
    const endless = `{"error_code":"HSS.0010","error_msg":"denied","trace":"${'x'.repeat(65_000)}`;
    expect(classified(anAnswer(400, endless, { cut: 'too_long' }))).toBe('rejected task');
    expect(classified(anAnswer(429, '<html>'.repeat(10_000), { cut: 'too_long' }))).toBe('throttled user');
    expect(classified(anAnswer(502, 'x'.repeat(65_536), { cut: 'too_long' }))).toBe('unknown gateway');
  });

  it('takes no code out of a quotation', () => {
    const quoted = '{"error_msg":"got {\\"error_code\\":\\"HSS.0010\\"}","more":';
    expect(classifyAnswer(anAnswer(400, quoted, { cut: 'too_long' }), several).evidence.errorCode).toBeNull();
  });
});

describe('a 429', () => {
  const text = (rest: string): string => `The throttling threshold has been reached: policy ${rest}`;
  const throttle = (answer: Answer): unknown => {
    const { evidence: _evidence, ...rest } = classifyAnswer(answer, several);
    return rest;
  };

  it.each<[string, string, number | null, number | null]>([
    ['user over ratelimit,limit:5,time:1 minute', 'user', 5, 60_000],
    ['ip over ratelimit,limit:5,time:30 second', 'ip', 5, 30_000],
    ['api over ratelimit,limit:600,time:1 hour', 'api', 600, 3_600_000],
    ['user over ratelimit, limit: 7, time: 2 minutes', 'user', 7, 120_000],
    ['api over ratelimit,limit:1,time:1 day', 'api', 1, 86_400_000],
    ['ip over ratelimit', 'ip', null, null],
    ['user over ratelimit,limit:0,time:0 minute', 'user', null, null],
    ['api over ratelimit,limit:5,time:999999999 day', 'api', 5, 86_400_000],
    ['nobody over ratelimit,limit:5,time:1 minute', 'user', null, null],
  ])('says "%s"', (said, policy, limit, windowMs) => {
    const answer = anAnswer(429, apigw('APIGW.0308', text(said)));
    expect(throttle(answer)).toEqual({ kind: 'throttled', policy, limit, windowMs, retryAfterMs: null });
  });

  it('is parsed from a text longer than what is kept of it', () => {
    const said = `${'x '.repeat(1_000)} policy ip over ratelimit,limit:5,time:1 minute`;
    expect(throttle(anAnswer(429, apigw('APIGW.0308', said)))).toMatchObject({ policy: 'ip', limit: 5 });
  });

  const date = 'Thu, 31 Dec 2026 23:59:50 GMT';
  it.each<[string, Record<string, string>, number | null]>([
    ['seconds', { 'retry-after': '17' }, 17_000],
    ['no seconds', { 'retry-after': '0' }, 0],
    ['a date, after the answer', { date, 'retry-after': 'Fri, 01 Jan 2027 00:00:20 GMT' }, 30_000],
    ['a date that has passed', { date, 'retry-after': 'Thu, 31 Dec 2026 23:00:00 GMT' }, 0],
    ['a date, and no date to compare it with', { 'retry-after': 'Fri, 01 Jan 2027 00:00:20 GMT' }, null],
    ['ten years, cut to a day', { 'retry-after': '315360000' }, 86_400_000],
    ['a word', { 'retry-after': 'later' }, null],
    ['less than nothing', { 'retry-after': '-5' }, null],
  ])('Retry-After: %s', (_title, headers, expected) => {
    expect(throttle(anAnswer(429, '', { headers }))).toMatchObject({ kind: 'throttled', retryAfterMs: expected });
  });
});

describe('the class of a code can be configured', () => {
  it.each<[ErrorClass, string]>([
    ['rejected_cluster', 'rejected cluster'],
    ['rejected_task', 'rejected task'],
    ['unavailable', 'unavailable costs'],
    ['unknown', 'unknown partial'],
    ['blocked', 'blocked endpoint'],
  ])('%s', (errorClass, expected) => {
    const context = { ...several, errorClasses: new Map([['HSS.1021', errorClass]]) };
    expect(classified(anAnswer(400, hss('HSS.1021')), context)).toBe(expected);
    expect(classified(anAnswer(500, hss('HSS.1021')), context)).toBe(expected);
    expect(classified(anAnswer(400, hss('HSS.1020')), context)).toBe('rejected cluster');
    expect(classified(anAnswer(200, hss('HSS.1021')), context)).toBe('unknown contradiction');
    expect(classified(anAnswer(400, hss('HSS.1021'), { cut: 'reset' }), context)).toBe('unknown truncated');
  });
});

describe('evidence', () => {
  const evidenceOf = (body: string, headers: Record<string, string> = {}, secrets: string[] = []): unknown =>
    classifyAnswer(anAnswer(400, body, { headers }), { ...several, secrets }).evidence;

  it.each<[string, string, string | null, string | null]>([
    ['the gateway', apigw('APIGW.0308', 'slow down'), 'APIGW.0308', 'slow down'],
    ['HSS', hss('HSS.1005'), 'HSS.1005', '任务'],
    ['old HSS', '{"error_code":"00000010","error_description":"denied"}', '00000010', 'denied'],
    ['IAM', '{"error":{"code":401,"message":"bad password","title":"Unauthorized"}}', '401', 'bad password'],
    ['HTML', '<html><head><title>413</title></head><body>\n<h1>Too large</h1></body></html>', null, '413 Too large'],
    ['plain text', 'no healthy upstream', null, 'no healthy upstream'],
    ['an array', '[1,2]', null, '[1,2]'],
    ['nothing', '', null, null],
    ['white space', ' \r\n ', null, null],
    ['a byte order mark', '\uFEFF{"error_code":"HSS.1005","error_msg":"m"}', 'HSS.1005', 'm'],
  ])('of %s', (_title, body, errorCode, errorText) => {
    expect(evidenceOf(body)).toMatchObject({ httpStatus: 400, errorCode, errorText });
  });

  it('takes the request id from the header, else from the body', () => {
    const body = apigw('APIGW.0201');
    expect(evidenceOf(body, { 'x-request-id': 'h-1' })).toMatchObject({ upstreamRequestId: 'h-1' });
    expect(evidenceOf('', { 'x-iam-trace-id': 't-1' })).toMatchObject({ upstreamRequestId: 't-1' });
    expect(evidenceOf(body)).toMatchObject({ upstreamRequestId: 'r-1' });
    expect(evidenceOf('')).toMatchObject({ upstreamRequestId: null });
  });

  it('is bounded, and one line without control characters', () => {
    const body = JSON.stringify({
      error_code: 'HSS.0001'.repeat(50),
      error_msg: `a\u0000b\nc\u202Ed${'é'.repeat(9_999)}`,
    });
    const { errorCode, errorText } = evidenceOf(body) as { errorCode: string; errorText: string };
    expect(errorText).toMatch(/^a b cdé+$/);
    expect([errorText.length, errorCode.length]).toEqual([500, 64]);
  });

  it('never tears a character in two', () => {
    const text = (evidenceOf(`${'é'.repeat(499)}😀😀`) as { errorText: string }).errorText;
    expect(text).toBe(`${'é'.repeat(499)}😀`);
    expect(evidenceOf('{"error_code":"A","error_msg":"\\ud800"}')).toMatchObject({ errorText: '\uFFFD' });
  });

  const token = `MII${'Qa+/'.repeat(200)}==`;
  it.each<[string, string]>([
    ['as it is', `decrypt token fail ${token}`],
    ['percent-encoded', `decrypt token fail ${encodeURIComponent(token)}`],
    ['with escaped slashes', `decrypt token fail ${token.replaceAll('/', '\\/')}`],
    ['its first half', `decrypt token fail ${token.slice(0, 300)}`],
    ['across the cut', `${'x '.repeat(240)}${token}`],
    ['behind its name', `X-Auth-Token: ${token.slice(0, 20)}`],
    ['in a quoted header', `"authorization":"Bearer ${token.slice(0, 20)}"`],
  ])('shows no token: %s', (_title, body) => {
    expect(JSON.stringify(evidenceOf(body, {}, [token]))).not.toContain('MIIQa');
  });

  it("hides keys in codes and request ids as well, and leaves the vendor's own texts alone", () => {
    const found = JSON.stringify(
      evidenceOf('{"error_code":"AKIA123","error_msg":"AKIA123"}', { 'x-request-id': 'AKIA123' }, ['AKIA123']),
    );
    expect(found).not.toContain('AKIA123');
    for (const said of ['verify aksk signature fail', 'x-auth-token not found', 'token expires']) {
      expect(evidenceOf(said)).toMatchObject({ errorText: said });
    }
  });

  it('shows no given secret, whatever surrounds it (property)', () => {
    const secret = fc
      .string({ unit: 'grapheme-ascii', minLength: 6, maxLength: 40 })
      .filter((s) => s.trim() === s && !/ {2}/.test(s));
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (known, before, after) => {
        const body = JSON.stringify({ error_code: 'HSS.0001', error_msg: before + known + after });
        const { errorText } = evidenceOf(body, {}, [known]) as { errorText: string | null };
        return !(errorText ?? '').replaceAll('[secret]', '').includes(known);
      }),
    );
  });
});

describe('any answer', () => {
  it('is exactly one outcome, and accepted only as a whole 2xx without a code (property)', () => {
    const status = fc.integer({ min: 200, max: 599 });
    const body = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.constantFrom(hss('HSS.1007'), apigw('APIG.0605')),
    );
    const cut = fc.constantFrom('too_long' as const, 'reset' as const, 'timeout' as const, null);
    fc.assert(
      fc.property(status, body, cut, (aStatus, aBody, aCut) => {
        const outcome = classifyAnswer(anAnswer(aStatus, aBody, { cut: aCut }), several);
        const mayBeAccepted = aStatus < 300 && aCut === null;
        expect(outcome.kind === 'accepted' ? mayBeAccepted : true).toBe(true);
        expect([...(outcome.evidence.errorText ?? '')].length).toBeLessThanOrEqual(500);
      }),
    );
  });

  it.each(['<', '{', '"', 'token=', '\\', 'policy '])('of 64 KiB of %j takes no long thought', (unit) => {
    const body = unit.repeat(65_536 / unit.length);
    expect(classified(anAnswer(400, body))).toBe('rejected task alarm');
  });
});

describe('no answer', () => {
  const failed = (started: boolean, code: string | null, timedOut = false): string =>
    inShort(classifyFailure({ started, timedOut, code, message: 'm' }, []));

  it.each<[string, string | null, string, string]>([
    ['a refused connection', 'ECONNREFUSED', 'not_sent connect', 'unknown reset'],
    ['a reset', 'ECONNRESET', 'not_sent connect', 'unknown reset'],
    ['a broken pipe', 'EPIPE', 'not_sent connect', 'unknown reset'],
    ['an unreachable host', 'EHOSTUNREACH', 'not_sent connect', 'unknown reset'],
    ['the other side closing', 'UND_ERR_SOCKET', 'not_sent connect', 'unknown reset'],
    ['something without a code', null, 'not_sent connect', 'unknown reset'],
    ['an unknown name', 'ENOTFOUND', 'blocked endpoint', 'unknown reset'],
    ['a silent name server', 'EAI_AGAIN', 'blocked endpoint', 'unknown reset'],
    ['no TLS at all', 'EPROTO', 'blocked endpoint', 'unknown reset'],
    ['no TLS at all, newer', 'ERR_SSL_WRONG_VERSION_NUMBER', 'blocked endpoint', 'unknown reset'],
    ['a foreign certificate', 'ERR_TLS_CERT_ALTNAME_INVALID', 'blocked endpoint', 'unknown reset'],
    ['an expired certificate', 'CERT_HAS_EXPIRED', 'blocked endpoint', 'unknown reset'],
    ['an unknown authority', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'blocked endpoint', 'unknown reset'],
    ['a self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'blocked endpoint', 'unknown reset'],
    ['headers past the bound', 'UND_ERR_HEADERS_OVERFLOW', 'not_sent connect', 'unknown truncated'],
    ['an answer that is no HTTP', 'HPE_INVALID_CONSTANT', 'not_sent connect', 'unknown truncated'],
  ])('%s (%s) is %s, after the start %s', (_title, code, before, after) => {
    expect(failed(false, code)).toBe(before);
    expect(failed(true, code)).toBe(after);
  });

  it('a time-out is not sent before the start, and unknown after it', () => {
    expect(failed(false, null, true)).toBe('not_sent connect');
    expect(failed(true, null, true)).toBe('unknown timeout');
  });

  it('started is unknown, and not started never is, whatever the code says (property)', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.option(fc.string()), fc.boolean(), (started, code, timedOut) => {
        expect(failed(started, code, timedOut).startsWith('unknown')).toBe(started);
      }),
    );
  });

  it('keeps the code and a clean message', () => {
    const outcome = classifyFailure(
      { started: false, timedOut: false, code: 'ECONNREFUSED', message: 'connect\nto key-1' },
      ['key-1'],
    );
    expect(outcome.evidence).toEqual({
      httpStatus: null,
      errorCode: 'ECONNREFUSED',
      errorText: 'connect to [secret]',
      upstreamRequestId: null,
    });
  });
});
