import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '../../../src/domain/domain-error.js';
import { KNOWN_ID, Slowness, startSampleApp, trouble, type SampleApp } from './sample-app.js';

const REQUESTS = '/v1/requests';
const submission = { projectId: 'p', taskId: 't', range: 'all_failed_cluster' };

let sample: SampleApp;
const port = (): number => Number(new URL(sample.url).port);

beforeAll(async () => {
  sample = await startSampleApp();
});

beforeEach(() => {
  sample.lines.length = 0;
});

afterAll(() => sample.app.close());

function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(sample.url + path, { method, headers });
}

function submit(body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'idempotency-key': 'k' };
  return fetch(sample.url + REQUESTS, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function raw(bytes: string): Promise<string> {
  const socket = connect(port(), '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

describe('a good answer', () => {
  it('is never cached or guessed at, and names its request', async () => {
    const response = await get(REQUESTS);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['trace-1.2_3', true],
    ['x'.repeat(64), true],
    ['x'.repeat(65), false],
    ['two words', false],
    ['a,b', false],
    ['', false],
  ])("takes the caller's request id %j: %s", async (id, taken) => {
    const response = await get(REQUESTS, { 'x-request-id': id });
    expect(response.headers.get('x-request-id') === id).toBe(taken);
  });

  it('has no body for HEAD', async () => {
    const response = await get(`${REQUESTS}/${KNOWN_ID}`, {}, 'HEAD');
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('takes 100,000 clusters, labels and a deadline', async () => {
    const clusterIds = Array.from({ length: 100_000 }, (_, index) => `cluster-${index}`);
    const response = await submit({
      ...submission,
      clusterIds,
      labels: { team: 'größe' },
      deadline: '2099-01-01T01:00:00+01:00',
    });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({
      clusterIds: 100_000,
      enterpriseProjectId: '0',
      labels: { team: 'größe' },
      deadline: '2099-01-01T00:00:00.000Z',
    });
  });

  it('takes an empty body, of any type, where none belongs', async () => {
    const path = `${sample.url}${REQUESTS}/${KNOWN_ID}/cancel`;
    const plain = await fetch(path, { method: 'POST' });
    const habit = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' } });
    const form = await fetch(path, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '' });
    expect([plain.status, habit.status, form.status]).toEqual([200, 200, 200]);
  });

  it('takes no body where every field may be absent', async () => {
    const path = `${sample.url}${REQUESTS}/${KNOWN_ID}/replay`;
    const response = await fetch(path, { method: 'POST', headers: { 'idempotency-key': 'k' } });
    expect(response.status).toBe(202);
  });
});

describe('an error', () => {
  it('of a wrong method names the right ones', async () => {
    const response = await get(REQUESTS, {}, 'DELETE');
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });

  it('of ours goes out as it stands', async () => {
    trouble.next = new DomainError('too_many_open_targets', 'Wait for some.', { retryAfterSeconds: 60 });
    const response = await get('/v1/trouble', { 'x-request-id': 'mine' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '60']);
    expect(await response.json()).toEqual({
      type: 'urn:rescan:error:too_many_open_targets',
      title: 'Too Many Requests',
      status: 429,
      detail: 'Wait for some.',
      code: 'too_many_open_targets',
      instance: 'urn:rescan:request:mine',
    });
    expect(sample.lines).toEqual([]);
  });

  it('that is a bug is logged whole and told as nothing', async () => {
    trouble.next = new Error('SELECT password FROM secrets');
    const response = await get('/v1/trouble', { 'x-request-id': 'mine' });
    const body = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(body)).toMatchObject({ code: 'internal', instance: 'urn:rescan:request:mine' });
    expect(body).not.toMatch(/SELECT|password|at .*\.ts/);
    expect(sample.lines).toMatchObject([
      { level: 'error', fields: { err: trouble.next, requestId: 'mine', method: 'GET', route: '/v1/trouble' } },
    ]);
  });

  it('of a database that is away asks to come back', async () => {
    trouble.next = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' });
    const response = await get('/v1/trouble');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.text()).not.toContain('10.0.0.1');
    expect(sample.lines).toMatchObject([{ level: 'warn' }]);
  });

  it('leaves the connection in use, after a body that was too large as well', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (const size of [17 * 1024 * 1024, 2]) {
      const outgoing = httpRequest(sample.url + REQUESTS, {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json' },
      });
      outgoing.on('socket', (socket) => sockets.add(socket));
      outgoing.end(Buffer.alloc(size, ' '));
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      expect(response.statusCode).toBe(size > 2 ? 413 : 400);
      await text(response);
    }
    agent.destroy();
    expect(sockets.size).toBe(1);
  });
});

describe('broken HTTP', () => {
  const good = `GET ${REQUESTS} HTTP/1.1\r\nhost: x\r\n\r\n`;

  it('after a good request gets an answer of its own', async () => {
    const socket = connect(port(), '127.0.0.1');
    socket.write(good);
    await once(socket, 'data');
    socket.write('nonsense\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*"code":"malformed"/);
  });

  it('gets no second answer to the request that it broke', async () => {
    const answers = await raw(
      `POST ${REQUESTS} HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    );
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toHaveLength(1);
  });

  it('is no concern of ours when the caller breaks off', async () => {
    const socket = connect(port(), '127.0.0.1');
    socket.write(
      `POST ${REQUESTS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    );
    socket.end();
    await once(socket.resume(), 'close');
    expect((await get(REQUESTS)).status).toBe(200);
    expect(sample.lines).toEqual([]);
  });
});

describe('a shutdown', () => {
  beforeEach(() => {
    Slowness.current = new Slowness();
  });

  it('answers what is being answered, and waits for no idle connection', async () => {
    const own = await startSampleApp();
    const agent = new Agent({ keepAlive: true });
    const idle = httpRequest(own.url + REQUESTS, { agent }).end();
    const [first] = (await once(idle, 'response')) as [IncomingMessage];
    await text(first);
    const busy = httpRequest(`${own.url}/v1/slow`, { agent: new Agent({ keepAlive: true }) }).end();
    const answered = once(busy, 'response') as Promise<[IncomingMessage]>;
    await Slowness.current.started.promise;
    const closed = own.app.close();
    while (own.app.getHttpServer().listening) await setImmediate();
    Slowness.current.release.resolve();
    const [response] = await answered;
    expect(response.headers.connection).toBe('close');
    expect(await text(response)).toBe('{"done":true}');
    await closed;
    agent.destroy();
  });

  it('cuts off what does not end', async () => {
    const own = await startSampleApp();
    const endless = fetch(`${own.url}/v1/slow`).then(
      () => 'answered',
      () => 'cut off',
    );
    await Slowness.current.started.promise;
    await own.app.close();
    expect(await endless).toBe('cut off');
  });
});
