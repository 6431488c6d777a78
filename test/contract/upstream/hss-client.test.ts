import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { VERSION } from '../../../src/config/version.js';
import { HssClient } from '../../../src/upstream/hss-client.js';
import type { RetryAnswer, RetryCall } from '../../../src/upstream/scan-tasks.js';
import { aCall, aCredential, inShort, password } from './builders.js';
import { certificate } from '../../support/loopback-certificate.js';
import { headerIn, http, rawServer, type Answerer } from './raw-server.js';
import { aClient, aServer, closedInTheMiddle } from './rig.js';

/** One call against one server. */
async function retryAgainst(answer: Answerer, timeoutMs = 10_000, call: Partial<RetryCall> = {}): Promise<RetryAnswer> {
  const server = await aServer(answer);
  return aClient(server.port, { timeoutMs }).retry(aCall(call));
}

const ok: Answerer = (socket) => void socket.write(http('200 OK'));

describe('what is sent', () => {
  it('is one request, byte for byte', async () => {
    const server = await aServer(ok);
    await aClient(server.port).retry(aCall());
    const [request = ''] = server.requests;
    expect(request.split('\r\n')[0]).toBe('PUT /v5/p1/common/tasks/t1/retry?enterprise_project_id=0 HTTP/1.1');
    expect(request.endsWith(`\r\n\r\n${aCall().body}`)).toBe(true);
    const names = ['host', 'content-type', 'user-agent', 'x-project-id', 'x-sdk-date', 'connection'];
    expect(names.map((name) => headerIn(request, name))).toEqual([
      `127.0.0.1:${server.port}`,
      'application/json',
      `rescan/${VERSION}`,
      'p1',
      '20260101T000000Z',
      'close',
    ]);
    expect(headerIn(request, 'authorization')).toMatch(/^SDK-HMAC-SHA256 Access=AK1, /);
  });

  it('goes over a connection of its own, call by call', async () => {
    const server = await aServer(ok);
    const client = aClient(server.port);
    expect(inShort(await client.retry(aCall()))).toBe('accepted, sent');
    expect(inShort(await client.retry(aCall()))).toBe('accepted, sent');
    expect([server.connections(), server.requests.length]).toEqual([2, 2]);
    expect(await server.ended).toBe('closed');
  });

  it('goes over TLS with a trusted certificate', async () => {
    const server = await aServer(ok, { tls: true });
    const answer = await aClient(server.port, { tls: true, ca: certificate }).retry(aCall());
    expect(inShort(answer)).toBe('accepted, sent');
  });
});

describe('a whole answer', () => {
  it('brings outcome, evidence, duration and the date of the server', async () => {
    const headers = { date: 'Thu, 01 Jan 2026 00:00:07 GMT', 'x-request-id': 'req-1' };
    const answer = await retryAgainst((socket) => void socket.write(http('200 OK', headers)));
    expect(answer).toEqual({
      outcome: {
        kind: 'accepted',
        evidence: { httpStatus: 200, errorCode: null, errorText: null, upstreamRequestId: 'req-1' },
      },
      sent: true,
      durationMs: expect.any(Number),
      serverDate: new Date('2026-01-01T00:00:07Z'),
    });
  });

  it.each<[string, string, string]>([
    ['a 429', http('429 Too Many Requests', {}, '{"error_code":"APIGW.0308"}'), 'throttled'],
    ['HTML from a proxy', http('502 Bad Gateway', {}, '<html>nginx</html>'), 'unknown gateway'],
    ['a redirect, which is not followed', http('301 Moved', { location: '/elsewhere' }), 'blocked endpoint'],
    ['an interim answer first', `HTTP/1.1 103 Early Hints\r\n\r\n${http('200 OK')}`, 'accepted'],
    ['a body in chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 'accepted'],
    ['64 KiB of headers, nearly', http('200 OK', { 'x-long': 'x'.repeat(65_000) }), 'accepted'],
    ['headers past 64 KiB', http('200 OK', { 'x-long': 'x'.repeat(70_000) }), 'unknown truncated'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n', 'unknown truncated'],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n',
      'unknown reset',
    ],
  ])('%s', async (_title, bytes, expected) => {
    const server = await aServer((socket) => void socket.write(bytes));
    expect(inShort(await aClient(server.port).retry(aCall()))).toBe(`${expected}, sent`);
    expect(server.requests).toHaveLength(1);
  });

  it('counts when it comes before the request is written to its end', async () => {
    const early = http('413 Too Large', { connection: 'close' });
    const server = await aServer(() => undefined, {
      onConnection: (socket) => socket.once('data', () => socket.write(early)),
    });
    const answer = await aClient(server.port).retry(aCall({ body: 'x'.repeat(50_000_000) }));
    expect(inShort(answer)).toBe('rejected task, sent');
  });
});

describe('before the start, nothing was sent', () => {
  it('refused connection', async () => {
    const server = await rawServer(ok);
    await server.close();
    const answer = await aClient(server.port).retry(aCall());
    expect(answer).toMatchObject({ sent: false, durationMs: null, serverDate: null });
    expect(inShort(answer)).toBe('not_sent connect');
  });

  it('reset in the middle of the TLS handshake', async () => {
    const server = await aServer(ok, { onConnection: (socket) => socket.once('data', () => socket.resetAndDestroy()) });
    expect(inShort(await aClient(server.port, { tls: true }).retry(aCall()))).toBe('not_sent connect');
  });

  it('time-out in the middle of the TLS handshake', async () => {
    const server = await aServer(() => undefined);
    expect(inShort(await aClient(server.port, { tls: true, timeoutMs: 100 }).retry(aCall()))).toBe('not_sent connect');
    // On a busy machine the end may be read before the reset.
    expect(['ECONNRESET', 'closed']).toContain(await server.ended);
  });

  it('a certificate that nobody vouches for blocks the endpoint', async () => {
    const server = await aServer(ok, { tls: true });
    const answer = await aClient(server.port, { tls: true }).retry(aCall());
    expect(inShort(answer)).toBe('blocked endpoint');
    expect(server.bytes()).toBe(0);
  });

  it('no TLS on the other side blocks the endpoint', async () => {
    const server = await aServer(ok, { onConnection: (socket) => socket.write('220 smtp ready\r\n') });
    expect(inShort(await aClient(server.port, { tls: true }).retry(aCall()))).toBe('blocked endpoint');
  });

  it('an unknown name blocks the endpoint', async () => {
    // A label of 64 characters: no name server is asked.
    const client = new HssClient([aCredential({ hssUrl: `https://${'x'.repeat(64)}.invalid` })], new Map());
    expect(inShort(await client.retry(aCall()))).toBe('blocked endpoint');
  });

  it.each([false, true])('a lease that has run out sends not one byte (TLS: %s)', async (tls) => {
    const server = await aServer(ok, { tls });
    const client = aClient(server.port, { tls, ca: certificate });
    const answer = await client.retry(aCall({ mayStart: () => false }));
    expect(answer).toMatchObject({ outcome: { kind: 'not_sent', cause: 'lease' }, sent: false, durationMs: null });
    await server.ended;
    expect(server.bytes()).toBe(0);
  });

  it.each([false, true])('a call that is held while it connects sends not one byte (TLS: %s)', async (tls) => {
    const server = await aServer(ok, { tls });
    let asked = 0;
    const mayLeave = (): Promise<boolean> => Promise.resolve((asked += 1) === 0);
    const answer = await aClient(server.port, { tls, ca: certificate }).retry(aCall({ mayLeave }));
    expect(answer).toMatchObject({ outcome: { kind: 'not_sent', cause: 'held' }, sent: false, durationMs: null });
    await server.ended;
    expect([asked, server.bytes()]).toEqual([1, 0]);
  });

  it('a server that hangs up while it is asked whether a call may leave has got nothing', async () => {
    const server = await aServer(ok, { onConnection: (socket) => void socket.end() });
    const mayLeave = async (): Promise<boolean> => {
      await sleep(50);
      return true;
    };
    const answer = await aClient(server.port).retry(aCall({ mayLeave }));
    expect([inShort(answer), server.requests]).toEqual(['not_sent connect', []]);
  });

  it('asks for the lease once, connected, and before the first byte', async () => {
    const server = await aServer(ok);
    const seen: [number, number][] = [];
    const mayStart = (): boolean => seen.push([server.bytes(), server.requests.length]) > 0;
    await aClient(server.port).retry(aCall({ mayStart }));
    expect(seen).toEqual([[0, 0]]);
  });

  it('ids that no path can carry are refused, an unknown credential is blocked', async () => {
    const server = await aServer(ok);
    const client = aClient(server.port);
    expect(inShort(await client.retry(aCall({ taskId: '..' })))).toBe('rejected task');
    expect(inShort(await client.retry(aCall({ credential: 'other' })))).toBe('blocked endpoint');
    expect(server.connections()).toBe(0);
  });
});

describe('after the start, the outcome is unknown', () => {
  it.each<[string, Answerer, string]>([
    ['reset', (socket) => 'resetAndDestroy' in socket && socket.resetAndDestroy(), 'unknown reset'],
    ['closed without a word', (socket) => void socket.end(), 'unknown reset'],
    ['closed within the status line', (socket) => void socket.end('HTTP/1.1 20'), 'unknown reset'],
    ['closed within the headers', (socket) => void socket.end('HTTP/1.1 200 OK\r\ndate: '), 'unknown reset'],
    [
      'a body shorter than it said',
      (socket) => void socket.end(http('200 OK', { 'content-length': '9' }, '{}')),
      'unknown truncated',
    ],
    [
      'chunks without an end',
      (socket) => void socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n'),
      'unknown truncated',
    ],
    [
      'reset within the body of an error',
      (socket) => socket.write(http('400 Bad', { 'content-length': '99' }, '{'), () => socket.destroy()),
      'unknown truncated',
    ],
  ])('%s', async (_title, answer, expected) => {
    expect(inShort(await retryAgainst(answer))).toBe(`${expected}, sent`);
  });

  it('no answer in time: the socket is reset', async () => {
    const server = await aServer(() => undefined);
    const answer = await aClient(server.port, { timeoutMs: 100 }).retry(aCall());
    expect(inShort(answer)).toBe('unknown timeout, sent');
    expect(await server.ended).toBe('ECONNRESET');
  });

  it('headers in time and no body: the status is evidence', async () => {
    const head = http('400 Bad', { 'content-length': '9' });
    const answer = await retryAgainst((socket) => void socket.write(head), 100);
    expect(answer).toMatchObject({ outcome: { kind: 'unknown', cause: 'timeout', evidence: { httpStatus: 400 } } });
  });

  it('a slow body without an end ends at the deadline', async () => {
    const drip: Answerer = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const timer = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(timer));
    };
    expect(inShort(await retryAgainst(drip, 150))).toBe('unknown timeout, sent');
  });

  it.each<[string, string, string]>([
    ['200', 'unknown truncated, sent', '{"task":"'],
    ['400', 'rejected task, sent', '{"error_code":"HSS.0011","error_msg":"'],
  ])('a body of any length is read for 64 KiB, then the connection ends (%s)', async (status, expected, head) => {
    const flood: Answerer = (socket) => {
      const pour = (): boolean => !socket.destroyed && socket.write('x'.repeat(65_536)) && pour();
      socket.on('drain', pour);
      socket.write(`HTTP/1.1 ${status} Whatever\r\n\r\n${head}`);
      pour();
    };
    const server = await aServer(flood);
    const answer = await aClient(server.port).retry(aCall());
    expect(inShort(answer)).toBe(expected);
    expect((answer.outcome.evidence.errorText ?? '').length).toBeLessThanOrEqual(500);
    await server.ended;
  });

  it.each([false, true])('what was not yet delivered at the time-out never is (TLS: %s)', async (tls) => {
    // More than waits on the server's side, less than this side's kernel takes: an orderly close would deliver all of it.
    const body = 'x'.repeat(1_000_000);
    const reader = { resume: (): void => undefined };
    const server = await aServer(() => undefined, {
      tls,
      onConnection: (socket) => {
        socket.pause();
        reader.resume = () => void socket.resume();
      },
    });
    const answer = await aClient(server.port, { tls, ca: certificate, timeoutMs: 300 }).retry(aCall({ body }));
    expect(inShort(answer)).toBe('unknown timeout, sent');
    reader.resume();
    await server.ended;
    expect(server.bytes()).toBeLessThan(body.length);
    expect(server.requests).toEqual([]);
  });
});

describe('closing', () => {
  it('drops what has not started, and waits for what has', async () => {
    const asked = { respond: (): void => undefined };
    const started = await aServer((socket) => (asked.respond = () => void socket.write(http('200 OK'))));
    // It never answers the handshake: connected, not started.
    const stuck = await aServer(() => undefined);
    const client = new HssClient(
      [
        aCredential({ name: 'started', hssUrl: `http://127.0.0.1:${started.port}` }),
        aCredential({ name: 'stuck', hssUrl: `https://127.0.0.1:${stuck.port}` }),
      ],
      new Map(),
    );
    const unsent = client.retry(aCall({ credential: 'stuck' }));
    const sent = client.retry(aCall({ credential: 'started' }));
    while (started.requests.length === 0 || stuck.bytes() === 0) await new Promise(setImmediate);
    const closed = client.close(10_000);
    expect(inShort(await unsent)).toBe('not_sent shutdown');
    asked.respond();
    expect(inShort(await sent)).toBe('accepted, sent');
    await closed;
    expect(inShort(await client.retry(aCall({ credential: 'started' })))).toBe('not_sent shutdown');
  });

  it('cuts off after the grace what has started: it may have been carried out', async () => {
    const { closed, ended } = await closedInTheMiddle((client) => client.retry(aCall()));
    await closed;
    expect(inShort(await ended)).toBe('unknown reset, sent');
  });

  it('does not wait for IAM', async () => {
    const iam = await aServer(() => undefined);
    const client = new HssClient([aCredential({ auth: password, iamUrl: `http://127.0.0.1:${iam.port}` })], new Map());
    const unsent = client.retry(aCall());
    while (iam.requests.length === 0) await new Promise(setImmediate);
    await client.close(10_000);
    expect(inShort(await unsent)).toBe('not_sent shutdown');
  });
});
