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
  expect(await names.resolve('127.0.0.1', never)).toEqual([{ address: '127.0.0.1', family: 4 }]);
  expect(await names.resolve('::1', never)).toEqual([{ address: '::1', family: 6 }]);
  expect(resolver.asked).toEqual([]);
});

it('asks for two names at once, and the next when one has come', async () => {
  const resolver = new Resolver();
  const names = new Names(resolver.lookup);
  const all = ['a', 'b', 'c', 'd'].map((name) => names.resolve(name, never));
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
  const all = ['a', 'b', 'c'].map((name) => names.resolve(name, over.signal));
  const late = names.resolve('d', never);
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
