import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Deliverer } from '../../../src/callbacks/deliverer.js';
import { DueCallbacks } from '../../../src/callbacks/due-callbacks.js';
import { RequestEnds } from '../../../src/callbacks/request-ends.js';
import { CallbackLedger } from '../../../src/ledger/callbacks.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { CallbackBells } from '../../../src/platform/queues/callback-bells.js';
import { Link } from '../../faults/support/link.js';
import { CallbackWorld } from '../../support/callback-world.js';
import { eventually, eventuallyHolds } from '../../support/eventually.js';
import { expectInvariants } from '../../support/invariants.js';
import { Receiver, replies } from '../../support/receiver.js';
import { testRedisUrl } from '../../support/test-database.js';

Logger.overrideLogger(false);

/** One at a time to each origin, on a machine that is busy with other tests. */
const PATIENCE = { limitMs: 20_000 };

let queue: Queue<object>;
let bells: CallbackBells;
let here: CallbackWorld;
let deliverer: Deliverer;
let due: DueCallbacks;
let receiver: Receiver;

beforeAll(() => {
  queue = new Queue<object>(`callbacks-${randomUUID()}`, { connection: { url: testRedisUrl() } });
  bells = new CallbackBells(queue);
});
beforeEach(async () => {
  // Of them two for one caller, and one for one origin.
  here = await CallbackWorld.open({ concurrency: 8, timeoutMs: 60_000 });
  deliverer = new Deliverer(here.config, here.delivery, bells);
  due = new DueCallbacks(here.config, here.callbacks, bells, deliverer);
  receiver = await Receiver.open();
});
afterEach(async () => {
  await deliverer.stop(0);
  await receiver.close();
  await queue.obliterate({ force: true });
  await expectInvariants(here.world.prisma);
  await here.close();
});
afterAll(() => queue.close());

/** Keeps all that it gets until it is told to answer. */
function hold(): { held: ServerResponse[]; release: () => void } {
  const held: ServerResponse[] = [];
  receiver.reply = (response) => void held.push(response);
  return {
    held,
    release: () => {
      receiver.reply = replies.status(204);
      for (const response of held) response.writeHead(204).end();
    },
  };
}

const many = async (n: number, url: string, caller?: string): Promise<string[]> => {
  const ids: string[] = [];
  for (let count = 0; count < n; count += 1) ids.push(await here.anEndedRequest(url, caller));
  return ids;
};
const stateOf = async (id: string): Promise<string | undefined> => (await here.read(id)).callback?.state;

describe('a look', () => {
  it('tells all that is due, however many, each once', async () => {
    const ids = await many(12, receiver.url());
    await Promise.all([deliverer.look(), deliverer.look(), deliverer.look()]);
    await eventuallyHolds(async () => {
      expect(await Promise.all(ids.map(stateOf))).toEqual(ids.map(() => 'delivered'));
    }, PATIENCE);
    expect(receiver.received).toHaveLength(ids.length);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set(ids.map((id) => `msg_${id}`)),
    );
  });

  it('waits for no receiver, and leaves room beside a slow one', async () => {
    const { held, release } = hold();
    await many(5, receiver.url());
    const other = await Receiver.open();
    const [id = ''] = await many(1, other.url());
    await deliverer.look();
    await eventually(async () => (await stateOf(id)) === 'delivered');
    await deliverer.look();
    expect(held).toHaveLength(1);
    release();
    await eventually(() => receiver.received.length === 5);
    await deliverer.idle();
    await other.close();
  });

  it('leaves room beside a caller, however many of its receivers hang', async () => {
    const hanging = await Promise.all(Array.from({ length: 5 }, () => Receiver.open({ reply: replies.silence() })));
    for (const each of hanging) await many(2, each.url(), 'slow');
    const told = await many(3, receiver.url(), 'other');
    await deliverer.look();
    await eventuallyHolds(async () => {
      expect(await Promise.all(told.map(stateOf))).toEqual(told.map(() => 'delivered'));
    }, PATIENCE);
    // Before any time was up: what hangs is still out.
    await eventually(() => hanging.flatMap(({ received }) => received).length === 2);
    await deliverer.stop(0);
    expect(hanging.flatMap(({ received }) => received)).toHaveLength(2);
    await Promise.all(hanging.map((each) => each.close()));
  });

  it('gives callers turns, however much the others have', async () => {
    const { held, release } = hold();
    const busy = ['a', 'b', 'c', 'd', 'e'];
    // All eight places are taken.
    const hanging = await Promise.all(Array.from({ length: 10 }, () => Receiver.open({ reply: receiver.reply })));
    for (const [index, each] of hanging.entries()) await many(3, each.url(), busy[index % 5]);
    await deliverer.look();
    await eventually(() => held.length === 8);
    await many(1, receiver.url(), 'late');
    // Each that ends makes room for one: nobody has two turns before everybody has one.
    for (const response of held.splice(0, 5)) response.writeHead(204).end();
    await eventually(() => receiver.received.length === 1);
    for (const each of hanging) each.reply = replies.status(204);
    release();
    await deliverer.idle();
    await Promise.all(hanging.map((each) => each.close()));
  });

  it('leaves a bell for the next try', async () => {
    receiver.nextAre(replies.status(500));
    await many(1, receiver.url());
    await deliverer.look();
    await eventually(async () => (await queue.getDelayedCount()) === 1);
    await deliverer.look();
    expect(await queue.getDelayedCount()).toBe(1);
  });

  it('has its tries cut off when the service stops, and they are made again later', async () => {
    hold();
    const [id = ''] = await many(1, receiver.url());
    await deliverer.look();
    await eventually(() => receiver.received.length === 1);
    await deliverer.stop(50);
    expect(await here.read(id)).toMatchObject({
      callback: { state: 'pending', nextTryAt: expect.any(Date) },
      items: [{ number: 1, errorCode: 'interrupted' }],
    });
    await here.advance(3_600_000);
    await deliverer.look();
    expect(receiver.received).toHaveLength(1);
  });
});

describe('the end of a request', () => {
  it('rings where somebody wants to be told of it, and only there', async () => {
    const ends = new RequestEnds(here.callbacks, bells, here.metrics);
    const [silent, told] = [await here.anEndedRequest(null), await here.anEndedRequest(receiver.url())];
    await ends.tell([]);
    await ends.tell([silent]);
    expect(await queue.getWaitingCount()).toBe(0);
    await ends.tell([silent, told]);
    expect(await queue.getWaitingCount()).toBe(1);
    expect(await here.metrics.registry.metrics()).toContain('rescan_requests_ended_total 3');
  });

  it('counts, and is left to the sweep, where the database is away', async () => {
    const away = new PrismaService('postgresql://nobody@127.0.0.1:1/nowhere', 1);
    const ends = new RequestEnds(new CallbackLedger(away), bells, here.metrics);
    await ends.tell([randomUUID()]);
    expect(await here.metrics.registry.metrics()).toContain('rescan_requests_ended_total 1');
    await away.$disconnect();
  });
});

describe('a sweep', () => {
  it('rings where something is due, and only there', async () => {
    await due.ring();
    expect(await queue.getWaitingCount()).toBe(0);
    await many(1, receiver.url());
    await due.ring();
    expect(await queue.getWaitingCount()).toBe(1);
    expect(receiver.received).toEqual([]);
  });

  it('looks itself while the queue is away', async () => {
    const [id = ''] = await many(1, receiver.url());
    const link = await Link.to(Number(new URL(testRedisUrl()).port));
    const away = new Queue<object>(`away-${randomUUID()}`, { connection: { url: link.through(testRedisUrl()) } });
    await away.waitUntilReady();
    link.fault = { swallow: 'both' };
    await new DueCallbacks(here.config, here.callbacks, new CallbackBells(away), deliverer).ring();
    await eventually(async () => (await stateOf(id)) === 'delivered');
    link.fault = {};
    await away.close();
    await link.close();
  });

  it('leaves to others what it cannot sign', async () => {
    const config = { ...here.config, callbacks: { ...here.config.callbacks, secrets: [] } };
    await many(1, receiver.url());
    await new DueCallbacks(config, here.callbacks, bells, deliverer).ring();
    expect(await queue.getWaitingCount()).toBe(0);
  });
});
