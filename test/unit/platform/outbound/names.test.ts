import { expect, it } from '@jest/globals';
import { Names, type ResolvedAddress } from '../../../../src/platform/outbound/names.js';

const never = new AbortController().signal;

/** A resolver whose answers the test gives. */
class Resolver {
  readonly asked: string[] = [];
  readonly #answers = new Map<string, (addresses: ResolvedAddress[]) => void>();

  readonly lookup = (name: string): Promise<ResolvedAddress[]> => {
    this.asked.push(name);
    return new Promise((resolve) => this.#answers.set(name, resolve));
  };

  answer(name: string): void {
    this.#answers.get(name)?.([{ address: '1.1.1.1', family: 4 }]);
  }
}

it('asks nobody for an address', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  expect(await names.resolve('127.0.0.1', 'x', never)).toEqual([{ address: '127.0.0.1', family: 4 }]);
  expect(await names.resolve('::1', 'x', never)).toEqual([{ address: '::1', family: 6 }]);
  expect(resolver.asked).toEqual([]);
});

it('asks for two names at once, of a caller each, and the next when one has come', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const all = ['a', 'b', 'c', 'd'].map((name) => names.resolve(name, `caller of ${name}`, never));
  expect(resolver.asked).toEqual(['a', 'b']);
  resolver.answer('b');
  expect(await all[1]).toEqual([{ address: '1.1.1.1', family: 4 }]);
  expect(resolver.asked).toEqual(['a', 'b', 'c']);
  for (const name of ['a', 'c']) resolver.answer(name);
  await Promise.all([all[0], all[2]]);
  resolver.answer('d');
  await all[3];
});

it('lets those go who wait no longer, and keeps the place of a name that is still asked for', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const over = new AbortController();
  const all = ['a', 'b', 'c'].map((name) => names.resolve(name, `caller of ${name}`, over.signal));
  const late = names.resolve('d', 'caller of d', never);
  over.abort(new Error('too late'));
  for (const one of all) await expect(one).rejects.toThrow('too late');
  expect(resolver.asked).toEqual(['a', 'b']);
  resolver.answer('a');
  resolver.answer('b');
  await new Promise((resolve) => setImmediate(resolve));
  expect(resolver.asked).toEqual(['a', 'b', 'd']);
  resolver.answer('d');
  expect(await late).toHaveLength(1);
});

it('has one place for a caller, however many of its names are slow', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const slow = ['a', 'b', 'c'].map((name) => names.resolve(name, 'slow', never));
  expect(resolver.asked).toEqual(['a']);
  const other = names.resolve('d', 'other', never);
  expect(resolver.asked).toEqual(['a', 'd']);
  resolver.answer('d');
  expect(await other).toHaveLength(1);
  expect(resolver.asked).toEqual(['a', 'd']);
  for (const name of ['a', 'b', 'c']) {
    resolver.answer(name);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(slow);
  expect(resolver.asked).toEqual(['a', 'd', 'b', 'c']);
});

it('asks once for a name that several want, for the first of them who has a place', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const first = names.resolve('slow', 'one', never);
  const same = ['one', 'two'].map((caller) => names.resolve('wanted', caller, never));
  expect(resolver.asked).toEqual(['slow', 'wanted']);
  resolver.answer('wanted');
  expect(await Promise.all(same)).toHaveLength(2);
  resolver.answer('slow');
  await first;
  expect(resolver.asked).toEqual(['slow', 'wanted']);
});

it('ends for each when its own time is over', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const over = new AbortController();
  const [dead, first] = ['dead', 'wanted'].map((name) => names.resolve(name, 'one', over.signal));
  const second = names.resolve('wanted', 'one', never);
  over.abort(new Error('too late'));
  for (const one of [dead, first]) await expect(one).rejects.toThrow('too late');
  resolver.answer('dead');
  await new Promise((resolve) => setImmediate(resolve));
  resolver.answer('wanted');
  expect(await second).toHaveLength(1);
});
