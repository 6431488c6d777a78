import { describe, expect, it } from '@jest/globals';
import { Secret } from '../../../src/config/secret.js';
import type { Answer } from '../../../src/upstream/answer.js';
import { readToken, tokenRequestBody, type PasswordAuth } from '../../../src/upstream/iam.js';
import type { TokenResult } from '../../../src/upstream/token-source.js';

const auth: PasswordAuth = { kind: 'password', userName: 'svc', domainName: 'acme', password: new Secret('pä"ss') };
const at = new Date('2026-01-01T00:00:00Z');

function read(status: number, headers: Answer['headers'] = {}, body = '', cut: Answer['cut'] = null): TokenResult {
  return readToken({ kind: 'answered', answer: { status, headers, body, cut }, durationMs: 1 }, auth, at);
}

function inShort(result: TokenResult): string {
  if (result.kind === 'token') return result.token.value;
  const { outcome } = result;
  return outcome.kind === 'not_sent'
    ? `not_sent ${outcome.cause}`
    : outcome.kind === 'blocked'
      ? `blocked ${outcome.by}`
      : outcome.kind;
}

describe('the request for a token', () => {
  it('is scoped to the project', () => {
    expect(JSON.parse(tokenRequestBody(auth, 'p-1'))).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'svc', password: 'pä"ss', domain: { name: 'acme' } } },
        },
        scope: { project: { id: 'p-1' } },
      },
    });
  });
});

describe("IAM's answer", () => {
  const body = '{"token":{"expires_at":"2026-01-02T00:00:00.000000Z"}}';

  it('holds the token in a header and its end in the body', () => {
    const token = { value: 'tok', expiresAt: new Date('2026-01-02T00:00:00Z') };
    expect(read(201, { 'x-subject-token': 'tok' }, body)).toEqual({ kind: 'token', token });
  });

  it.each(['', 'no json', '{"token":{"expires_at":"soon"}}', '{"token":{}}'])(
    'without an end (%j) lasts an hour',
    (noEnd) => {
      const token = { value: 'tok', expiresAt: new Date('2026-01-01T01:00:00Z') };
      expect(read(201, { 'x-subject-token': 'tok' }, noEnd)).toEqual({ kind: 'token', token });
    },
  );

  it('may be cut in its body: the token stands in the header', () => {
    expect(inShort(read(201, { 'x-subject-token': 'x'.repeat(32_768) }, body, 'too_long'))).toHaveLength(32_768);
  });

  it.each<[string, TokenResult, string]>([
    [
      'a refused password',
      read(401, {}, '{"error":{"code":401,"message":"The username or password is wrong."}}'),
      'blocked authentication',
    ],
    ['a locked or forbidden user', read(403), 'blocked authentication'],
    ['a throttled one', read(429), 'not_sent token'],
    ['a throttled one, as 403', read(403, {}, '{"error_code":"APIGW.0308"}'), 'not_sent token'],
    ['an unknown project', read(400), 'not_sent token'],
    ['a wrong address', read(404), 'not_sent token'],
    ['a redirect', read(302), 'not_sent token'],
    ["IAM's own trouble", read(503), 'not_sent token'],
    ['201 without a token', read(201, {}, body), 'not_sent token'],
    ['201 with an unusable token', read(201, { 'x-subject-token': 'a b' }, body), 'not_sent token'],
    ['201 with too long a token', read(201, { 'x-subject-token': 'x'.repeat(32_769) }, body), 'not_sent token'],
    ['200, which IAM never answers', read(200, { 'x-subject-token': 'tok' }, body), 'not_sent token'],
  ])('%s', (_title, result, expected) => expect(inShort(result)).toBe(expected));

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED'])('none, for %s, is not sent', (code) => {
    const failure = { started: false, timedOut: false, code, message: 'm' };
    expect(inShort(readToken({ kind: 'failed', failure, durationMs: null }, auth, at))).toBe('not_sent token');
  });

  it('none, for a lost one, is not sent either: it was not the call that was lost', () => {
    const failure = { started: true, timedOut: true, code: null, message: 'm' };
    expect(inShort(readToken({ kind: 'failed', failure, durationMs: 3 }, auth, at))).toBe('not_sent token');
    expect(inShort(readToken({ kind: 'dropped', by: 'shutdown' }, auth, at))).toBe('not_sent shutdown');
  });

  it('is evidence without the password', () => {
    const result = read(
      401,
      { 'x-iam-trace-id': 'trace-1' },
      JSON.stringify({ error: { code: 401, message: 'not pä"ss' } }),
    );
    expect(result).toMatchObject({
      outcome: { evidence: { httpStatus: 401, errorText: 'not [secret]', upstreamRequestId: 'trace-1' } },
    });
  });
});
