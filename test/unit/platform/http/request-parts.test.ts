import { describe, expect, it } from '@jest/globals';
import { parseIdempotencyKey } from '../../../../src/platform/http/idempotency-key.js';
import { PathLaneId, PathUuid } from '../../../../src/platform/http/path-id.js';
import { Routes } from '../../../../src/platform/http/routes.js';

describe('an Idempotency-Key', () => {
  it.each(['a', '!~', 'k'.repeat(255)])('may be %j', (key) => {
    expect(parseIdempotencyKey([key])).toBe(key);
  });

  it.each<[string, string[], string]>([
    ['is missing', [], 'idempotency_key_missing'],
    ['is empty', [''], 'idempotency_key_missing'],
    ['is too long', ['k'.repeat(256)], 'malformed'],
    ['has a space', ['a b'], 'malformed'],
    ['is not ASCII', ['k\u00e9'], 'malformed'],
    ['comes twice', ['a', 'a'], 'malformed'],
  ])('is refused when it %s', (_title, given, code) => {
    expect(() => parseIdempotencyKey(given)).toThrow(expect.objectContaining({ code }));
  });
});

describe('an id in a path', () => {
  it('is a UUID in its one spelling', () => {
    expect(new PathUuid().transform('0198C0DE-0000-7000-8000-00000000ABCD')).toBe(
      '0198c0de-0000-7000-8000-00000000abcd',
    );
  });

  it.each(['', 'x', '0198c0de00007000800000000000abcd', '{0198c0de-0000-7000-8000-00000000abcd}', '..', '\u0000'])(
    'is not there when it is %j',
    (id) => {
      expect(() => new PathUuid().transform(id)).toThrow(expect.objectContaining({ code: 'not_found' }));
      expect(() => new PathLaneId().transform(id)).toThrow(expect.objectContaining({ code: 'not_found' }));
    },
  );

  it('is the name of a lane', () => {
    expect(new PathLaneId().transform('main-2.retryTask')).toBe('main-2.retryTask');
  });
});

describe('the methods of a path', () => {
  const routes = new Routes();
  routes.add('/v1/requests', ['POST']);
  routes.add('/v1/requests', ['GET', 'HEAD']);
  routes.add('/v1/requests/:id', ['GET']);

  it.each([
    ['/v1/requests', ['GET', 'HEAD', 'POST']],
    ['/v1/requests?a=/b', ['GET', 'HEAD', 'POST']],
    ['/v1/requests/5', ['GET']],
    ['/v1/requests/', []],
    ['/v1/requests/5/x', []],
    ['/V1/requests', []],
    ['/', []],
    ['*', []],
  ])('are known for %s', (url, methods) => {
    expect(routes.methodsFor(url)).toEqual(methods);
  });
});
