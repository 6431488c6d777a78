import { AKSKSigner } from '@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner.js';
import { BasicCredentials } from '@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials.js';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import {
  canonicalRequest,
  isSignedBy,
  parseAuthorization,
  parseSdkDate,
  type SignedRequest,
} from '../../../src/simulator/signature.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The vendor's published example. */
const published: SignedRequest = {
  method: 'GET',
  path: '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs',
  query: 'limit=2&marker=13551d6b-755d-4757-b956-536f674975c0',
  headers: {
    'content-type': 'application/json',
    host: 'service.region.example.com',
    'x-sdk-date': '20191115T033655Z',
    authorization: 'not signed',
  },
  bodySha256: sha256(''),
};
const claim = {
  accessKey: 'QTWAOYTTINDUT2QVKYUC',
  signedHeaders: ['content-type', 'host', 'x-sdk-date'],
  signature: '7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe',
};
const secret = 'MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc';

describe('the published example', () => {
  it('has the published canonical request', () => {
    const canonical = canonicalRequest(published, claim.signedHeaders);
    expect(sha256(canonical ?? '')).toBe('b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a');
  });

  it('is signed by its key, and by no other', () => {
    expect(isSignedBy(secret, published, claim)).toBe(true);
    expect(isSignedBy('another', published, claim)).toBe(false);
  });

  it.each<[string, Partial<SignedRequest>]>([
    ['method', { method: 'POST' }],
    ['path', { path: '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/subnets' }],
    ['query', { query: 'limit=3&marker=13551d6b-755d-4757-b956-536f674975c0' }],
    ['body', { bodySha256: sha256('{}') }],
    ['signed header', { headers: { ...published.headers, host: 'elsewhere.example.com' } }],
    ['missing header', { headers: { ...published.headers, host: undefined } }],
    ['broken escape', { path: '/v1/%zz' }],
  ])('is not signed any more with another %s', (_title, change) => {
    expect(isSignedBy(secret, { ...published, ...change }, claim)).toBe(false);
  });

  it('may come with its query in another order', () => {
    const query = 'marker=13551d6b-755d-4757-b956-536f674975c0&limit=2';
    expect(isSignedBy(secret, { ...published, query }, claim)).toBe(true);
  });
});

it('agrees with the official signer, whatever is in query and body', () => {
  const anyText = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(
      fc.dictionary(anyText.filter(Boolean), anyText),
      fc.dictionary(anyText, anyText),
      (queryParams, data) => {
        const credential = new BasicCredentials({ ak: claim.accessKey, sk: secret });
        const signed = AKSKSigner.sign(
          {
            method: 'PUT',
            endpoint: 'http://127.0.0.1:8085/v5/p/common/tasks/t/retry',
            queryParams,
            headers: { 'content-type': 'application/json', 'X-Project-Id': 'p' },
            data,
          },
          credential,
        ) as Record<string, string>;
        const headers = Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toLowerCase(), value]));
        const request: SignedRequest = {
          method: 'PUT',
          path: '/v5/p/common/tasks/t/retry',
          query: Object.entries(queryParams)
            .map((pair) => pair.map(encodeURIComponent).join('='))
            .join('&'),
          headers,
          bodySha256: sha256(JSON.stringify(data)),
        };
        const parsed = parseAuthorization(headers['authorization'] ?? '');
        return parsed !== null && isSignedBy(secret, request, parsed);
      },
    ),
  );
});

it.each([['host'], ['x-sdk-date']])('takes no signature that leaves out %s', (left) => {
  const signedHeaders = claim.signedHeaders.filter((name) => name !== left);
  expect(isSignedBy(secret, published, { ...claim, signedHeaders })).toBe(false);
});

it.each([
  ['20191115T033655Z', Date.UTC(2019, 10, 15, 3, 36, 55)],
  ['20191315T033655Z', null],
  ['2019-11-15T03:36:55Z', null],
  ['20191115T033655', null],
  ['', null],
])('reads the date %j as %j', (text, expected) => {
  expect(parseSdkDate(text)).toBe(expected);
});

it.each(['', 'Basic x', 'SDK-HMAC-SHA256 Access=a', 'SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=zz'])(
  'sees no claim in %j',
  (header) => {
    expect(parseAuthorization(header)).toBeNull();
  },
);
