import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalRequest, encodePath, encodeQuery, sign } from '../../../src/upstream/signer.js';

/** The vendor's own signer, as far as it is used here. Its `data` is the body before JSON. */
interface OfficialRequest {
  readonly method: string;
  readonly endpoint: string;
  readonly queryParams: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
  readonly data?: unknown;
}
interface OfficialSigner {
  sign(request: OfficialRequest, credential: { getAk(): string; getSk(): string }): Record<string, string>;
}
const { AKSKSigner: official } = createRequire(import.meta.url)(
  '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js',
) as { AKSKSigner: OfficialSigner };

describe('the published vector', () => {
  const request = {
    method: 'GET',
    path: '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs',
    query: [
      ['marker', '13551d6b-755d-4757-b956-536f674975c0'],
      ['limit', '2'],
    ],
    headers: { 'Content-Type': ' application/json ', Host: 'service.region.example.com' },
    body: '',
  } as const;
  const at = new Date('2019-11-15T03:36:55.987Z');

  it('has the published hash', () => {
    const canonical = canonicalRequest({
      ...request,
      headers: { ...request.headers, 'x-sdk-date': '20191115T033655Z' },
    });
    const hash = createHash('sha256').update(canonical).digest('hex');
    expect(hash).toBe('b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a');
  });

  it('has the published signature', () => {
    const key = { accessKey: 'QTWAOYTTINDUT2QVKYUC', secretKey: 'MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc' };
    expect(sign(request, key, at)).toMatchObject({
      'x-sdk-date': '20191115T033655Z',
      authorization:
        'SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, ' +
        'Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe',
    });
  });
});

describe('the wire form', () => {
  it.each<[string[], string]>([
    [['v5', 'p', 'common'], '/v5/p/common'],
    [['v5', 'a/b', "!'()*"], '/v5/a%2Fb/%21%27%28%29%2A'],
    [['~-._', 'a b', '%41', '?#'], '/~-._/a%20b/%2541/%3F%23'],
    [['任务'], '/%E4%BB%BB%E5%8A%A1'],
  ])('of the path %j is %s', (segments, path) => expect(encodePath(segments)).toBe(path));

  it('of the query is sorted and strictly encoded', () => {
    expect(
      encodeQuery([
        ['b', "it's"],
        ['a', '2'],
        ['a', '1'],
        ['A', '+ '],
      ]),
    ).toBe('A=%2B%20&a=1&a=2&b=it%27s');
    expect(encodeQuery([])).toBe('');
  });
});

/** A path that `url.parse`, which the official signer reads its URL with, leaves as it is. */
const pathChars = [...Array(0x7f - 0x21).keys()]
  .map((i) => String.fromCharCode(i + 0x21))
  .filter((c) => !/["'<>\\^`{|}?#/@:]/.test(c));
const segment = fc.string({ unit: fc.constantFrom(...pathChars, 'é', '任'), minLength: 1, maxLength: 20 });
const wellFormed = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/\p{Cs}/u.test(text));
const query = fc.dictionary(
  wellFormed.filter((name) => name !== '' && name !== '__proto__'),
  fc.oneof(wellFormed, fc.array(wellFormed, { maxLength: 3 })),
  { maxKeys: 5 },
);
const headerName = fc.stringMatching(/^x-[a-z0-9]{1,10}$/);
const headerValue = fc.string({ unit: 'grapheme-ascii', maxLength: 30 }).map((value) => value.trim());

describe('any request', () => {
  it('is signed as the official signer does it (property)', () => {
    const key = { accessKey: 'AK1', secretKey: 'sécret/+=' };
    const requests = fc.record({
      method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
      segments: fc.array(segment, { minLength: 1, maxLength: 5 }),
      query,
      headers: fc.dictionary(headerName, headerValue, { maxKeys: 4 }),
      data: fc.option(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.string())), { nil: undefined }),
      at: fc.date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true }),
    });
    fc.assert(
      fc.property(requests, ({ method, segments, query: params, headers, data, at }) => {
        const common = { host: 'hss.example.com:8443', 'content-type': 'application/json', ...headers };
        const body = data === undefined ? '' : JSON.stringify(data);
        const pairs = Object.entries(params).flatMap(([name, value]) =>
          [value].flat().map((one): [string, string] => [name, one]),
        );
        const ours = sign({ method, path: encodePath(segments), query: pairs, headers: common, body }, key, at);
        const theirs = official.sign(
          {
            method,
            endpoint: `https://hss.example.com:8443/${segments.join('/')}`,
            queryParams: params,
            headers: { ...common, 'X-Sdk-Date': ours['x-sdk-date'] ?? '' },
            ...(data === undefined ? {} : { data }),
          },
          { getAk: () => key.accessKey, getSk: () => key.secretKey },
        );
        expect(ours['authorization']).toBe(theirs['Authorization']);
      }),
      { numRuns: 300 },
    );
  });
});
