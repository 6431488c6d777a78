import { afterEach, expect, it } from '@jest/globals';
import { Queue } from 'bullmq';
import { PatientWorker } from '../../../src/platform/queues/connections.js';
import { Link } from '../../faults/support/link.js';
import { eventually } from '../../support/eventually.js';
import { testRedisUrl } from '../../support/test-database.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

it('a worker whose command was never answered makes its connection anew, and goes on', async () => {
  const url = testRedisUrl();
  const link = await Link.to(Number(new URL(url).port));
  ends.push(() => link.close());
  const queue = new Queue(`silent-${crypto.randomUUID()}`, { connection: { url } });
  ends.push(
    () => queue.close(),
    () => queue.obliterate({ force: true }),
  );
  const done: string[] = [];
  const work = (name: string): Promise<void> => {
    done.push(name);
    // What the worker says next, that this job is done, gets lost; the connection itself stays.
    if (name === 'first') link.fault = { swallow: 'both' };
    return Promise.resolve();
  };
  const worker = new PatientWorker(queue.name, ({ name }) => work(name), { connection: { url: link.through(url) } });
  worker.on('error', () => undefined);
  ends.push(() => worker.close());
  await queue.add('first', {});
  await eventually(() => done.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  link.fault = {};
  await queue.add('second', {});
  await eventually(() => done.includes('second'), { limitMs: 25_000, everyMs: 100 });
  expect(done).toEqual(['first', 'second']);
}, 40_000);
