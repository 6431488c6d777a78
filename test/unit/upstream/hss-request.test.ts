import { describe, expect, it } from '@jest/globals';
import type { CredentialAuth } from '../../../src/config/app-config.js';
import { Secret } from '../../../src/config/secret.js';
import { VERSION } from '../../../src/config/version.js';
import { hssRequest } from '../../../src/upstream/hss-request.js';
import { listTasks, retryTask, type HssOperation } from '../../../src/upstream/operations.js';
import { aCall, aCredential, aTaskQuery, keys, password } from '../../contract/upstream/builders.js';

const sent = (operation: HssOperation | null, auth: CredentialAuth, token: string | null = null) =>
  hssRequest(operation!, aCall(), aCredential({ auth, hssUrl: 'https://hss.example.com:8443' }), token);
const retry = retryTask(aCall());

describe('a request', () => {
  it.each([
    [['v5', 'p1'], '/v5/p1?a=1&b=%2F'],
    [['a/b', '..x?#', '%2e%2e'], '/a%2Fb/..x%3F%23/%252e%252e?a=1&b=%2F'],
  ])('for the segments %j goes to %s', (path, target) => {
    const operation = { ...retry!, path, query: [['b', '/'] as const, ['a', '1'] as const] };
    expect(sent(operation, password, 'TOK').target).toBe(target);
    expect(sent(operation, keys).target).toBe(target);
  });

  it('with a token', () => {
    const { headers, secrets } = sent(retry, password, 'TOK');
    expect(headers).toEqual({
      'content-type': 'application/json',
      'user-agent': `rescan/${VERSION}`,
      'x-auth-token': 'TOK',
    });
    expect(secrets).toEqual(['PW1', 'TOK']);
  });

  it('with a signature over host, type, project and date', () => {
    const { headers, secrets } = sent(retry, keys);
    expect(headers).toMatchObject({
      host: 'hss.example.com:8443',
      'content-type': 'application/json',
      'user-agent': `rescan/${VERSION}`,
      'x-project-id': 'p1',
      'x-sdk-date': '20260101T000000Z',
      authorization: expect.stringContaining('Access=AK1, SignedHeaders=content-type;host;x-project-id;x-sdk-date, '),
    });
    expect(secrets).toEqual(['AK1', 'SK1']);
  });

  it('with a security token, which is signed as well', () => {
    const temporary = { ...keys, securityToken: new Secret('ST1') } as CredentialAuth;
    const { headers, secrets } = sent(retry, temporary);
    expect(headers).toMatchObject({
      'x-security-token': 'ST1',
      authorization: expect.stringContaining(
        'SignedHeaders=content-type;host;x-project-id;x-sdk-date;x-security-token, ',
      ),
    });
    expect(secrets).toContain('ST1');
  });

  it('is signed with its method, path, query and body', () => {
    const operation = listTasks(aTaskQuery())!;
    const signatures = [
      operation,
      { ...operation, method: 'PUT' as const },
      { ...operation, path: ['v5'] },
      { ...operation, query: [] },
      { ...operation, body: '{}' },
    ].map((changed) => sent(changed, keys).headers['authorization']);
    expect(new Set(signatures).size).toBe(signatures.length);
  });
});
