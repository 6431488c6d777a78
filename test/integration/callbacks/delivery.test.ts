import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { Webhook } from 'standardwebhooks';
import type { CallbackConfig } from '../../../src/config/app-config.js';
import { applyMoves, lockRequests } from '../../../src/ledger/counts.js';
import type { Principal } from '../../../src/security/principal.js';
import type { StartedTry } from '../../../src/callbacks/delivery.js';
import { ANY, CALLBACK_SECRET, CallbackWorld, owner } from '../../support/callback-world.js';
import { answered } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { Receiver, replies } from '../../support/receiver.js';

Logger.overrideLogger(false);

const DAY_MS = 86_400_000;
/** The time-out of these tests and the margin. */
const LEASE_MS = 500 + 15_000;

let here: CallbackWorld;
let receiver: Receiver;

const open = async (changed: Partial<CallbackConfig> = {}): Promise<void> => {
  here = await CallbackWorld.open(changed);
};
beforeEach(async () => {
  await open();
  receiver = await Receiver.open();
});
afterEach(async () => {
  await receiver.close();
  await expectInvariants(here.world.prisma);
  await here.close();
});

const idsReceived = (): unknown[] => receiver.received.map(({ headers }) => headers['webhook-id']);

describe('a callback', () => {
  it('waits for the end of its request', async () => {
    const id = await here.world.aRequest({ clusterIds: ['a', 'b'], callbackUrl: receiver.url() });
    const call = await here.world.start();
    expect(await here.read(id)).toMatchObject({ callback: { state: 'waiting', tries: 0, nextTryAt: null }, items: [] });
    expect(await here.isAnyStarted()).toBe(false);
    await here.world.settle(call, answered.badTask);
    expect(await here.world.state(id)).toBe('finished');
    await here.deliver();
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      type: 'request.finished',
      data: { requestId: id, taskId: 'task-1', state: 'finished', counts: { total: 2, waiting: 0, rejected: 2 } },
    });
  });

  it('is due with the end, or not at all', async () => {
    const id = await here.world.aRequest({ clusterIds: ['a'], callbackUrl: receiver.url() });
    const { prisma } = here.world;
    const ending = prisma.transact(async (tx) => {
      await lockRequests(tx, [id]);
      expect(await applyMoves(tx, [{ requestId: id, from: 'waiting', to: 'cancelled', n: 1 }])).toEqual([id]);
      throw new Error('the end is lost');
    });
    await expect(ending).rejects.toThrow('the end is lost');
    expect(await here.isAnyStarted()).toBe(false);
    await here.end(id);
    expect(await here.isAnyStarted()).toBe(true);
  });

  it('is for those alone who asked for it', async () => {
    const id = await here.anEndedRequest(null);
    expect(await here.isAnyStarted()).toBe(false);
    expect(await here.read(id)).toEqual({ callback: null, items: [], nextCursor: null });
  });

  it('is signed, and told once where it is taken', async () => {
    const id = await here.anEndedRequest(receiver.url('/told?token=x'));
    await here.deliver();
    const { headers, body, path } = receiver.received[0]!;
    const told = new Webhook(CALLBACK_SECRET).verify(body, headers as Record<string, string>);
    expect(told).toMatchObject({ type: 'request.cancelled', data: { requestId: id, counts: { cancelled: 2 } } });
    expect([path, headers['webhook-id']]).toEqual(['/told?token=x', `msg_${id}`]);
    await here.advance(30 * DAY_MS);
    expect(await here.isAnyStarted()).toBe(false);
    expect(await here.read(id)).toEqual({
      callback: {
        url: receiver.url('/told?token=x'),
        state: 'delivered',
        messageId: `msg_${id}`,
        tries: 1,
        nextTryAt: null,
        createdAt: expect.any(Date),
        finishedAt: expect.any(Date),
      },
      items: [
        {
          number: 1,
          startedAt: expect.any(Date),
          finishedAt: expect.any(Date),
          httpStatus: 204,
          errorCode: null,
          durationMs: expect.any(Number),
        },
      ],
      nextCursor: null,
    });
  });

  it('is told again, as the same message, until it is taken', async () => {
    const id = await here.anEndedRequest(receiver.url());
    receiver.nextAre(replies.status(500), replies.reset());
    await here.deliver();
    expect(await here.isAnyStarted()).toBe(false);
    await here.advance(5_000);
    await here.deliver();
    await here.advance(10_000);
    await here.deliver();
    expect(idsReceived()).toEqual([`msg_${id}`, `msg_${id}`, `msg_${id}`]);
    const [first, second] = receiver.received.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(5);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    const { callback, items } = await here.read(id);
    expect(callback).toMatchObject({ state: 'delivered', tries: 3 });
    expect(items).toMatchObject([
      { number: 3, httpStatus: 204, errorCode: null },
      { number: 2, httpStatus: null, errorCode: 'connection_lost' },
      { number: 1, httpStatus: 500, errorCode: 'bad_status' },
    ]);
  });
});

describe('a receiver', () => {
  it.each<[string, () => void, number | null, string]>([
    ['is slow', () => (receiver.reply = replies.silence()), null, 'timeout'],
    ['redirects', () => (receiver.reply = replies.status(302, { location: receiver.url('/x') })), 302, 'redirected'],
    ['is in trouble', () => (receiver.reply = replies.status(503)), 503, 'bad_status'],
    ['knows no such path', () => (receiver.reply = replies.status(404)), 404, 'bad_status'],
  ])('that %s is told again later', async (_title, prepare, httpStatus, errorCode) => {
    prepare();
    const id = await here.anEndedRequest(receiver.url());
    await here.deliver();
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'pending', tries: 1, nextTryAt: expect.any(Date), finishedAt: null },
      items: [{ httpStatus, errorCode }],
    });
    expect(receiver.received).toHaveLength(1);
  });

  it('that is down is told when it is back', async () => {
    const { port } = receiver;
    const id = await here.anEndedRequest(receiver.url());
    await receiver.close();
    await here.deliver();
    receiver = await Receiver.open({ port });
    await here.advance(5_000);
    await here.deliver();
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'delivered' },
      items: [{ errorCode: null }, { errorCode: 'connection_failed' }],
    });
  });

  it('that says 410 is told nothing any more', async () => {
    receiver.reply = replies.status(410);
    const id = await here.anEndedRequest(receiver.url());
    await here.deliver();
    await here.advance(DAY_MS);
    expect(await here.isAnyStarted()).toBe(false);
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'given_up', nextTryAt: null, finishedAt: expect.any(Date) },
      items: [{ httpStatus: 410, errorCode: 'gone' }],
    });
  });

  it('that is busy is left alone for as long as it asks', async () => {
    receiver.nextAre(replies.status(429, { 'retry-after': '600' }));
    await here.anEndedRequest(receiver.url());
    await here.deliver();
    await here.advance(590_000);
    expect(await here.isAnyStarted()).toBe(false);
    await here.advance(20_000);
    await here.deliver();
    expect(receiver.received).toHaveLength(2);
  });

  it('that never takes it is given up after a day', async () => {
    receiver.reply = replies.status(500);
    const id = await here.anEndedRequest(receiver.url());
    for (let tries = 0; tries < 3; tries += 1) {
      await here.deliver();
      await here.advance(3_600_000);
    }
    expect(await here.read(id)).toMatchObject({ callback: { state: 'pending', tries: 3 } });
    await here.advance(DAY_MS);
    await here.deliver();
    expect(await here.read(id)).toMatchObject({ callback: { state: 'given_up', tries: 4 } });
    expect(await here.isAnyStarted()).toBe(false);
  });

  it('with a private address is not connected to, and that is written down', async () => {
    await here.close();
    await open({ allowPrivate: false });
    const tls = await Receiver.open({ tls: true });
    const id = await here.anEndedRequest(tls.url('/told', '127.0.0.1'));
    await here.deliver();
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'pending' },
      items: [{ httpStatus: null, errorCode: 'address_not_allowed' }],
    });
    expect(tls.connections).toBe(0);
    await tls.close();
  });
});

describe('a try', () => {
  it('is written down before anything leaves', async () => {
    const id = await here.anEndedRequest(receiver.url());
    const started = await here.start();
    expect(receiver.connections).toBe(0);
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'pending', tries: 1, nextTryAt: null },
      items: [{ number: 1, finishedAt: null, errorCode: null }],
    });
    await here.finish(started);
  });

  it('is made by one of all who look, and by each for another callback', async () => {
    const first = await here.anEndedRequest(receiver.url());
    const second = await here.anEndedRequest(receiver.url());
    const turns = await Promise.all(Array.from({ length: 10 }, () => here.delivery.start(ANY)));
    const started = turns.flatMap((turn) => (turn.kind === 'started' ? [turn.started] : []));
    expect(started.map(({ requestId }) => requestId).sort()).toEqual([first, second].sort());
    await Promise.all(started.map((one) => here.finish(one)));
    expect(receiver.received).toHaveLength(2);
  });

  it('that was sent by a process that died is made again after its lease, as the same message', async () => {
    const id = await here.anEndedRequest(receiver.url());
    await expect(here.finish(await here.start(), here.dying)).rejects.toThrow('the process is gone');
    await here.advance(LEASE_MS - 2_000);
    expect(await here.isAnyStarted()).toBe(false);
    await here.advance(2_000);
    await here.deliver();
    expect(idsReceived()).toEqual([`msg_${id}`, `msg_${id}`]);
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'delivered', tries: 2 },
      items: [
        { number: 2, httpStatus: 204 },
        { number: 1, httpStatus: null, errorCode: 'interrupted' },
      ],
    });
  });

  it('that comes back after its lease does not count', async () => {
    const id = await here.anEndedRequest(receiver.url());
    const slow = await here.start();
    await here.advance(LEASE_MS);
    const next = await here.start();
    receiver.nextAre(replies.status(410), replies.status(204), replies.status(410));
    await here.finish(slow);
    expect(await here.read(id)).toMatchObject({ callback: { state: 'pending', tries: 2 } });
    await here.finish(next);
    await here.finish(slow);
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'delivered', tries: 2 },
      items: [{ httpStatus: 204 }, { errorCode: 'interrupted' }],
    });
  });

  it('is for somebody else while a receiver has enough of them', async () => {
    const other = await Receiver.open();
    await here.anEndedRequest(receiver.url());
    const id = await here.anEndedRequest(other.url());
    expect((await here.start({ fullOrigins: [new URL(receiver.url()).origin] })).requestId).toBe(id);
    await other.close();
  });
});

describe('a turn', () => {
  it('is of one caller after the other, and of the one that has waited longest of each', async () => {
    const of = (caller: string): Promise<string> => here.anEndedRequest(receiver.url(), caller);
    const ids = [await of('b'), await of('b'), await of('a'), await of('c'), await of('b')];
    const order: string[] = [];
    let lastCaller: string | null = null;
    while (order.length < ids.length) {
      const started: StartedTry = await here.start({ lastCaller });
      order.push(started.requestId);
      lastCaller = started.caller;
    }
    expect(order).toEqual([2, 0, 3, 1, 4].map((index) => ids[index]));
  });

  it('is of the receiver that has waited longest, and of no caller that has enough', async () => {
    const other = await Receiver.open();
    const first = await here.anEndedRequest(other.url(), 'a');
    const second = await here.anEndedRequest(receiver.url(), 'a');
    const third = await here.anEndedRequest(receiver.url(), 'b');
    expect((await here.start({ fullCallers: ['a'] })).requestId).toBe(third);
    expect((await here.start()).requestId).toBe(first);
    expect((await here.start()).requestId).toBe(second);
    expect(await here.isAnyStarted()).toBe(false);
    await other.close();
  });

  it('comes to whoever has one, with 10,000 due for another caller', async () => {
    await here.world.prisma.$executeRaw`
      INSERT INTO callback (request_id, caller, url, origin, state, due_at)
      SELECT uuidv7(), 'a', origin, origin, 'pending', rescan_now() - interval '1 day'
        FROM (SELECT 'http://receiver.invalid:' || n % 7 AS origin FROM generate_series(1, 10000) AS n) AS each`;
    const id = await here.anEndedRequest(receiver.url(), 'b');
    expect((await here.start({ lastCaller: 'a' })).requestId).toBe(id);
    await here.world.prisma.$executeRaw`DELETE FROM callback WHERE caller = 'a'`;
  });
});

describe('what a callback came to', () => {
  it('is read page by page, the last try first', async () => {
    receiver.reply = replies.status(500);
    const id = await here.anEndedRequest(receiver.url());
    for (let tries = 0; tries < 3; tries += 1) {
      await here.deliver();
      await here.advance(3_600_000);
    }
    const first = await here.read(id, owner, { limit: 2 });
    expect(first.items.map(({ number }) => number)).toEqual([3, 2]);
    const second = await here.read(id, owner, { limit: 2, cursor: first.nextCursor ?? '' });
    expect([second.items.map(({ number }) => number), second.nextCursor]).toEqual([[1], null]);
  });

  it('shows the whole URL to its caller and to operators, and its origin to others of the project', async () => {
    const id = await here.anEndedRequest(receiver.url('/told?token=x'));
    const urlFor = async (principal: Principal): Promise<string | undefined> =>
      (await here.read(id, principal)).callback?.url;
    expect(await urlFor(owner)).toBe(receiver.url('/told?token=x'));
    expect(await urlFor({ ...owner, caller: 'operator', scopes: ['ops'] })).toBe(receiver.url('/told?token=x'));
    expect(await urlFor({ ...owner, caller: 'other' })).toBe(receiver.url(''));
  });

  it('is not there for other projects, as if it never was', async () => {
    const id = await here.anEndedRequest(receiver.url());
    const stranger = { ...owner, projects: ['project-9'] };
    await expect(here.read(id, stranger)).rejects.toMatchObject({ code: 'not_found' });
    await expect(here.read(randomUUID())).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is counted', async () => {
    receiver.nextAre(replies.status(500));
    await here.anEndedRequest(receiver.url());
    await here.deliver();
    await here.advance(5_000);
    await here.deliver();
    const text = await here.metrics.registry.metrics();
    expect(text).toContain('rescan_callback_tries_total{outcome="again",error_code="bad_status"} 1');
    expect(text).toContain('rescan_callback_tries_total{outcome="delivered",error_code=""} 1');
  });
});
