import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CallbackSender, type SenderOptions } from '../../../src/callbacks/sender.js';
import type { CallbackAnswer } from '../../../src/domain/callback.js';
import { Names, type ResolvedAddress } from '../../../src/platform/outbound/names.js';
import { certificate } from '../../support/loopback-certificate.js';
import { Receiver, replies } from '../../support/receiver.js';

const never = new AbortController().signal;
const failed = (error: string): object => ({ kind: 'failed', error });
const loopback = { address: '127.0.0.1', family: 4 };

let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.open();
});
afterEach(() => receiver.close());

const send = (url: string, options: Partial<SenderOptions> = {}, cutOff = never): Promise<CallbackAnswer> =>
  new CallbackSender({ allowPrivate: true, timeoutMs: 400, ...options }).send(
    { caller: 'tester', url, headers: { 'webhook-id': 'msg_1' }, body: '{"type":"request.finished"}' },
    cutOff,
  );

/** Names that resolve to what the test says, each lookup counted. */
function namesOf(...addresses: ResolvedAddress[]): { names: Names; asked: string[] } {
  const asked: string[] = [];
  const names = new Names((name) => {
    asked.push(name);
    return Promise.resolve(addresses);
  });
  return { names, asked };
}

describe('a callback', () => {
  it('is a POST of JSON to the URL as it was given', async () => {
    expect(await send(receiver.url('/told/here?token=a%20b'))).toEqual({
      kind: 'answered',
      status: 204,
      retryAfterMs: null,
    });
    expect(receiver.received).toMatchObject([
      {
        method: 'POST',
        path: '/told/here?token=a%20b',
        body: '{"type":"request.finished"}',
        headers: {
          'content-type': 'application/json',
          'user-agent': expect.stringMatching(/^rescan\//),
          'webhook-id': 'msg_1',
        },
      },
    ]);
  });

  it.each([200, 400, 404, 410, 500])('comes to the status that the receiver answers: %i', async (status) => {
    receiver.reply = replies.status(status);
    expect(await send(receiver.url())).toMatchObject({ kind: 'answered', status });
  });

  it('follows no redirect', async () => {
    const other = await Receiver.open();
    for (const status of [301, 302, 303, 307, 308]) {
      receiver.nextAre(replies.status(status, { location: other.url() }));
      expect(await send(receiver.url())).toMatchObject({ kind: 'answered', status });
    }
    expect(other.connections).toBe(0);
    await other.close();
  });

  it.each<[string, Record<string, string>, number | null]>([
    ['seconds', { 'retry-after': '120' }, 120_000],
    [
      'a date, by its own clock',
      { 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT', date: 'Wed, 21 Oct 2026 07:28:00 GMT' },
      30_000,
    ],
    ['nonsense', { 'retry-after': 'soon' }, null],
  ])('hears how long a busy receiver wants to be left alone: %s', async (_title, headers, retryAfterMs) => {
    receiver.reply = replies.status(503, headers);
    expect(await send(receiver.url())).toEqual({ kind: 'answered', status: 503, retryAfterMs });
  });

  it('has said it all with the status, however long the body', async () => {
    receiver.reply = (response) => {
      response.writeHead(200);
      const more = (): boolean => !response.destroyed && response.write('x'.repeat(65_536), more);
      more();
    };
    expect(await send(receiver.url())).toMatchObject({ kind: 'answered', status: 200 });
    receiver.reply = (response) => void response.writeHead(200).write('and then nothing');
    expect(await send(receiver.url())).toMatchObject({ kind: 'answered', status: 200 });
  });
});

describe('a receiver that takes nothing', () => {
  it('is slow', async () => {
    receiver.reply = replies.silence();
    expect(await send(receiver.url())).toEqual(failed('timeout'));
  });

  it('takes the connection, and says nothing at all', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
    const { port } = silent.address() as { port: number };
    expect(await send(`http://127.0.0.1:${port}/`)).toEqual(failed('timeout'));
    expect(await send(`https://127.0.0.1:${port}/`)).toEqual(failed('timeout'));
    silent.close();
  });

  it('is down', async () => {
    const url = receiver.url();
    await receiver.close();
    expect(await send(url)).toEqual(failed('connection_failed'));
    receiver = await Receiver.open();
  });

  it('resets the connection', async () => {
    receiver.reply = replies.reset();
    expect(await send(receiver.url())).toEqual(failed('connection_lost'));
  });

  it('answers more headers than anybody wants', async () => {
    receiver.reply = replies.status(200, { 'x-much': 'x'.repeat(20_000) });
    expect(await send(receiver.url())).toEqual(failed('connection_lost'));
  });

  it('is waited for no longer than the service runs', async () => {
    receiver.reply = replies.silence();
    const stop = new AbortController();
    const sending = send(receiver.url(), { timeoutMs: 60_000 }, stop.signal);
    stop.abort();
    expect(await sending).toEqual(failed('interrupted'));
    expect(await send(receiver.url(), {}, stop.signal)).toEqual(failed('interrupted'));
  });
});

describe('an address', () => {
  it('is looked up once, and no other is connected to', async () => {
    const { names, asked } = namesOf(loopback);
    // No resolver knows this name: a second lookup would fail.
    expect(await send(receiver.url('/told', 'caller.invalid'), { names })).toMatchObject({ status: 204 });
    expect(asked).toEqual(['caller.invalid']);
    expect(receiver.received[0]?.headers.host).toBe(`caller.invalid:${receiver.port}`);
  });

  it.each<[string, ResolvedAddress[]]>([
    ['private', [loopback]],
    ['private beside one of the internet', [{ address: '1.1.1.1', family: 4 }, loopback]],
    ["a cloud's metadata", [{ address: '169.254.169.254', family: 4 }]],
    ['IPv4 in disguise', [{ address: '::ffff:127.0.0.1', family: 6 }]],
  ])('is not connected to where it is %s', async (_title, addresses) => {
    const tls = await Receiver.open({ tls: true });
    const { names } = namesOf(...addresses);
    const options = { names, allowPrivate: false, ca: certificate };
    expect(await send(tls.url('/told', 'caller.invalid'), options)).toEqual(failed('address_not_allowed'));
    expect(tls.connections).toBe(0);
    await tls.close();
  });

  it('in the URL itself is looked at again at each try', async () => {
    const { names, asked } = namesOf(loopback);
    for (const url of [receiver.url(), 'https://127.0.0.1/', 'https://[::1]/', 'http://caller.invalid/']) {
      expect(await send(url, { names, allowPrivate: false })).toEqual(failed('address_not_allowed'));
    }
    expect([asked, receiver.connections]).toEqual([[], 0]);
  });

  it('may not be known', async () => {
    const unknown = new Names(() => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })));
    expect(await send('https://caller.invalid/', { names: unknown })).toEqual(failed('name_not_resolved'));
    expect(await send('https://caller.invalid/', { names: namesOf().names })).toEqual(failed('name_not_resolved'));
  });

  it('is not waited for for ever', async () => {
    const names = new Names(() => new Promise(() => undefined));
    expect(await send('https://caller.invalid/', { names })).toEqual(failed('timeout'));
  });
});

describe('https', () => {
  let tls: Receiver;
  beforeEach(async () => {
    tls = await Receiver.open({ tls: true });
  });
  afterEach(() => tls.close());

  it('goes to whoever can show a certificate for the name', async () => {
    const { names } = namesOf(loopback);
    expect(await send(tls.url('/told', 'localhost'), { names, ca: certificate })).toMatchObject({ status: 204 });
    expect(tls.received).toHaveLength(1);
  });

  it.each([
    ['is of somebody unknown', 'localhost', {}],
    ['is for another name', 'caller.invalid', { ca: certificate }],
  ])('tells nothing to one whose certificate %s', async (_title, host, trust) => {
    const { names } = namesOf(loopback);
    expect(await send(tls.url('/told', host), { names, ...trust })).toEqual(failed('tls_failed'));
    expect(tls.received).toEqual([]);
  });

  it('tells nothing to one who does not speak it', async () => {
    const url = receiver.url().replace('http:', 'https:');
    expect(await send(url)).toEqual(failed('tls_failed'));
  });
});
