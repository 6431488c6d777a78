import { describe, expect, it } from '@jest/globals';
import { HssClient } from '../../../src/upstream/hss-client.js';
import { aCall, aCredential, inShort, password } from './builders.js';
import { headerIn, http, rawServer, type Answerer, type RawServer } from './raw-server.js';
import { afterwards } from './rig.js';

interface Upstream {
  readonly client: HssClient;
  readonly hss: RawServer;
  readonly iam: RawServer;
}

async function anUpstream(answers: { hss: Answerer; iam: Answerer }, timeoutMs = 10_000): Promise<Upstream> {
  const [hss, iam] = await Promise.all([rawServer(answers.hss), rawServer(answers.iam)]);
  const urls = { hssUrl: `http://127.0.0.1:${hss.port}`, iamUrl: `http://127.0.0.1:${iam.port}` };
  const client = new HssClient([aCredential({ ...urls, auth: password, timeoutMs })], new Map());
  afterwards(hss.close, iam.close, () => client.close(0));
  return { client, hss, iam };
}

const expiresAt = '{"token":{"expires_at":"2026-01-02T00:00:00.000000Z"}}';
/** Tokens t1, t2, ... by the request. */
const tokens: Answerer = (socket, _request, count) => {
  socket.write(http('201 Created', { 'x-subject-token': `t${count}` }, expiresAt));
};
const ok: Answerer = (socket) => void socket.write(http('200 OK'));

const tokensSeen = ({ hss }: Upstream): unknown[] => hss.requests.map((request) => headerIn(request, 'x-auth-token'));

describe('a credential with a password', () => {
  it('gets a token for the project and calls with it', async () => {
    const upstream = await anUpstream({ hss: ok, iam: tokens });
    expect(inShort(await upstream.client.retry(aCall()))).toBe('accepted, sent');
    expect(tokensSeen(upstream)).toEqual(['t1']);
    const [request = ''] = upstream.iam.requests;
    expect(request.split('\r\n')[0]).toBe('POST /v3/auth/tokens?nocatalog=true HTTP/1.1');
    expect(request).toContain('"scope":{"project":{"id":"p1"}}');
  });

  it('gets one token for ten calls at once', async () => {
    const upstream = await anUpstream({ hss: ok, iam: tokens });
    await Promise.all(Array.from({ length: 10 }, () => upstream.client.retry(aCall())));
    expect(upstream.iam.requests).toHaveLength(1);
    expect(new Set(tokensSeen(upstream))).toEqual(new Set(['t1']));
  });

  it('carries a token of 32,768 characters both ways', async () => {
    const long = 'x'.repeat(32_768);
    const iam: Answerer = (socket) => void socket.write(http('201 Created', { 'x-subject-token': long }, expiresAt));
    const upstream = await anUpstream({ hss: ok, iam });
    expect(inShort(await upstream.client.retry(aCall()))).toBe('accepted, sent');
    expect(tokensSeen(upstream)).toEqual([long]);
  });

  it('uses a new token for the call after one that was refused', async () => {
    const refused = http(
      '401 Unauthorized',
      {},
      '{"error_code":"APIGW.0307","error_msg":"The token must be updated."}',
    );
    const hss: Answerer = (socket, request) => {
      socket.write(headerIn(request, 'x-auth-token') === 't1' ? refused : http('200 OK'));
    };
    const upstream = await anUpstream({ hss, iam: tokens });
    expect(inShort(await upstream.client.retry(aCall()))).toBe('blocked authentication, sent');
    upstream.client.renewCredential('main');
    expect(inShort(await upstream.client.retry(aCall()))).toBe('accepted, sent');
    expect(tokensSeen(upstream)).toEqual(['t1', 't2']);
  });

  it('renews a token by the clock of the upstream, before it ends', async () => {
    const upstream = await anUpstream({ hss: ok, iam: tokens });
    await upstream.client.retry(aCall({ at: new Date('2026-01-01T00:00:00Z') }));
    await upstream.client.retry(aCall({ at: new Date('2026-01-01T23:29:00Z') }));
    await upstream.client.retry(aCall({ at: new Date('2026-01-01T23:31:00Z') }));
    expect(tokensSeen(upstream)).toEqual(['t1', 't1', 't2']);
  });
});

describe('without a token nothing is sent', () => {
  const refused = '{"error":{"code":401,"message":"Wrong password PW1 for svc","title":"Unauthorized"}}';
  it.each<[string, Answerer, string]>([
    [
      'a refused password',
      (socket) => void socket.write(http('401 Unauthorized', {}, refused)),
      'blocked authentication',
    ],
    ['IAM in trouble', (socket) => void socket.write(http('503 Unavailable')), 'not_sent token'],
    ['IAM silent', () => undefined, 'not_sent token'],
    ['IAM hanging up', (socket) => void socket.destroy(), 'not_sent token'],
  ])('%s', async (_title, iam, expected) => {
    const upstream = await anUpstream({ hss: ok, iam }, 200);
    const answer = await upstream.client.retry(aCall());
    expect(inShort(answer)).toBe(expected);
    expect(JSON.stringify(answer)).not.toContain('PW1');
    expect(upstream.hss.connections()).toBe(0);
  });
});

describe('evidence', () => {
  it('never quotes the token that an answer echoes', async () => {
    const hss: Answerer = (socket, request) => {
      const body = JSON.stringify({
        error_code: 'APIGW.0301',
        error_msg: `decrypt token fail ${headerIn(request, 'x-auth-token')}`,
      });
      socket.write(http('401 Unauthorized', { 'x-request-id': String(headerIn(request, 'x-auth-token')) }, body));
    };
    const upstream = await anUpstream({ hss, iam: tokens });
    const { outcome } = await upstream.client.retry(aCall());
    expect(outcome.evidence).toMatchObject({ errorText: 'decrypt token fail [secret]', upstreamRequestId: '[secret]' });
  });
});
