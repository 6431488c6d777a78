import { describe, expect, it } from '@jest/globals';
import type { CredentialConfig } from '../../../src/config/app-config.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { parseCredentials } from '../../../src/config/credentials-file.js';

const env = { HSS_AK: 'AK1', HSS_SK: ' SK1\n', HSS_ST: 'ST1', HSS_PASSWORD: 'PW 1', EMPTY: ' ', UMLAUT: 'kéy' };
const files: Record<string, string> = { 'secrets/sk': 'SK-from-file\n', empty: '\n' };
const readFile = (path: string): string => {
  const text = files[path];
  if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
  return text;
};
const parse = (text: string): readonly CredentialConfig[] => parseCredentials(text, { env, readFile });

function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.replace('CREDENTIALS_FILE: ', ''));
    throw error;
  }
  return [];
}

/** A good credential, with lines replaced by key; a null takes the line out. */
function yaml(lines: Readonly<Record<string, string | null>> = {}): string {
  const all: Record<string, string | null> = {
    name: 'main',
    hssUrl: 'https://hss.example.com',
    iamUrl: 'https://iam.example.com',
    auth: '{ kind: aksk, accessKeyEnv: HSS_AK, secretKeyEnv: HSS_SK }',
    projects: '["p1"]',
    ...lines,
  };
  const given = Object.entries(all).filter(([, value]) => value !== null);
  return `credentials:\n${given.map(([key, value], index) => `${index === 0 ? '  - ' : '    '}${key}: ${value}\n`).join('')}`;
}

describe('a credentials file', () => {
  it('is read as in the documentation', () => {
    const [credential] = parse(`
credentials:
  - name: main
    hssUrl: https://hss.ap-southeast-1.myhuaweicloud.com
    iamUrl: https://iam.ap-southeast-1.myhuaweicloud.com
    auth: { kind: aksk, accessKeyEnv: HSS_AK, secretKeyEnv: HSS_SK }   # a comment
    projects: ["6204a5bd270343b5885144cf9c8c158d"]
    egress: default
    limits:
      retryTask: { calls: 7, windowMs: 30000 }
      listTasks: unlimited
    timeoutMs: 20000
`);
    expect(credential).toMatchObject({
      name: 'main',
      hssUrl: 'https://hss.ap-southeast-1.myhuaweicloud.com',
      iamUrl: 'https://iam.ap-southeast-1.myhuaweicloud.com',
      projects: ['6204a5bd270343b5885144cf9c8c158d'],
      egress: 'default',
      limits: {
        retryTask: { calls: 7, windowMs: 30_000 },
        listTasks: { calls: null, windowMs: 60_000 },
        listTaskResources: { calls: 5, windowMs: 60_000 },
      },
      timeoutMs: 20_000,
    });
  });

  it('has defaults for all that is not the credential itself', () => {
    const five = { calls: 5, windowMs: 60_000 };
    expect(parse(yaml())).toMatchObject([
      { egress: 'default', timeoutMs: 30_000, limits: { retryTask: five, listTasks: five, listTaskResources: five } },
    ]);
  });

  it('leads to secrets in variables and files, trimmed, and shows none', () => {
    const [credential] = parse(
      yaml({ auth: '{ kind: aksk, accessKeyEnv: HSS_AK, secretKeyFile: secrets/sk, securityTokenEnv: HSS_ST }' }),
    );
    const auth = credential?.auth;
    if (auth?.kind !== 'aksk') throw new Error('not aksk');
    expect([auth.accessKey, auth.secretKey, auth.securityToken].map((secret) => secret?.reveal())).toEqual([
      'AK1',
      'SK-from-file',
      'ST1',
    ]);
    expect(JSON.stringify(credential)).not.toMatch(/AK1|SK-from-file|ST1/);
  });

  it('takes a password with what a header could not carry', () => {
    const [credential] = parse(
      yaml({ auth: '{ kind: password, userName: svc, domainName: acme, passwordEnv: HSS_PASSWORD }' }),
    );
    const auth = credential?.auth;
    expect(auth).toMatchObject({ kind: 'password', userName: 'svc', domainName: 'acme' });
    expect(auth?.kind === 'password' && auth.password.reveal()).toBe('PW 1');
  });

  it('serves some projects, each once, or all', () => {
    expect(parse(yaml({ projects: '["p1", "p2", "p1"]' }))[0]?.projects).toEqual(['p1', 'p2']);
    expect(parse(yaml({ projects: '"*"' }))[0]?.projects).toBe('*');
  });

  it.each([
    ['https://hss.example.com/', 'https://hss.example.com'],
    ['HTTPS://HSS.example.com:8443', 'https://hss.example.com:8443'],
    ['hss.example.com', 'https://hss.example.com'],
    ['localhost:8080', 'https://localhost:8080'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['http://127.0.0.1:1', 'http://127.0.0.1:1'],
    ['"http://[::1]:1"', 'http://[::1]:1'],
  ])('reads the URL %s as %s', (written, origin) => {
    expect(parse(yaml({ hssUrl: written }))[0]?.hssUrl).toBe(origin);
  });

  it('is frozen', () => {
    const [credential] = parse(yaml());
    for (const part of [
      credential,
      credential?.limits,
      credential?.limits.listTasks,
      credential?.auth,
      credential?.projects,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

describe('a bad credentials file', () => {
  it.each<[string, string, string]>([
    ['nothing', '', 'must be a mapping'],
    ['a list', '- a', 'must be a mapping'],
    ['no credentials', 'credentials: []', 'credentials: must be a list'],
    ['an unknown key at the top', `${yaml()}egress: x`, 'unknown key "egress"'],
    ['broken YAML', 'credentials: [', 'line 1: no valid YAML (BAD_INDENT'],
    ['a key twice', yaml({ 'name ': 'b' }), 'line 7: no valid YAML (DUPLICATE_KEY)'],
    ['two documents', `${yaml()}---\na: 1`, 'no valid YAML (MULTIPLE_DOCS)'],
    ['an unknown tag', 'credentials: !secret x', 'no valid YAML (TAG_RESOLVE_FAILED)'],
    ['an unknown alias', 'credentials: *nowhere', 'aliases'],
    ['an unknown key', yaml({ egres: 'x' }), 'credentials[0]: unknown key "egres"; known are name, hssUrl'],
    ['no name', yaml({ name: null, egress: 'e' }), 'credentials[0].name: is missing'],
    ['a bad name', yaml({ name: 'Main' }), 'credentials[0].name: must be 1 to 40 characters'],
    ['a number as a name', yaml({ name: '12' }), 'credentials[0].name: must be text (in quotes)'],
    ['no URL', yaml({ iamUrl: null }), 'credentials[0].iamUrl: is missing'],
    ['a URL with a path', yaml({ hssUrl: 'https://a/v5' }), 'credentials[0].hssUrl: must end after host and port'],
    ['a URL with a password', yaml({ hssUrl: 'https://u:p@a' }), 'hssUrl: must not hold a user'],
    ['plain http to elsewhere', yaml({ hssUrl: 'http://a.com' }), 'hssUrl: plain http is for this host only'],
    ['plain http to a name that only begins like this host', yaml({ hssUrl: 'http://127.0.0.1.a.com' }), 'plain http'],
    ['another scheme', yaml({ hssUrl: 'ftp://a' }), 'hssUrl: must be an https URL'],
    ['no URL at all', yaml({ hssUrl: '"https://"' }), 'hssUrl: must be a URL such as'],
    ['no auth', yaml({ auth: null }), 'credentials[0].auth: must be a mapping'],
    ['an unknown kind', yaml({ auth: '{ kind: token }' }), 'auth.kind: must be aksk or password'],
    [
      'a secret in the file',
      yaml({ auth: '{ kind: aksk, accessKey: AKXX, accessKeyEnv: HSS_AK, secretKeyEnv: HSS_SK }' }),
      'auth: unknown key "accessKey"',
    ],
    [
      'a variable that is not set',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: NOWHERE, secretKeyEnv: HSS_SK }' }),
      'auth.accessKeyEnv: the environment variable it names is not set',
    ],
    [
      'an empty variable',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: EMPTY, secretKeyEnv: HSS_SK }' }),
      'auth.accessKeyEnv: the environment variable',
    ],
    [
      'no variable name',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: "AK+/=", secretKeyEnv: HSS_SK }' }),
      'auth.accessKeyEnv: must be the name',
    ],
    [
      'both a variable and a file',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: HSS_AK, secretKeyEnv: HSS_SK, secretKeyFile: secrets/sk }' }),
      'auth.secretKey: give either',
    ],
    ['neither', yaml({ auth: '{ kind: aksk, accessKeyEnv: HSS_AK }' }), 'auth.secretKey: give either'],
    [
      'a missing file',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: HSS_AK, secretKeyFile: gone }' }),
      'auth.secretKeyFile: the file it names cannot be read (ENOENT)',
    ],
    [
      'an empty file',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: HSS_AK, secretKeyFile: empty }' }),
      'auth.secretKeyFile: the file it names is empty',
    ],
    [
      'a key that no header can carry',
      yaml({ auth: '{ kind: aksk, accessKeyEnv: UMLAUT, secretKeyEnv: HSS_SK }' }),
      'auth.accessKey: holds characters',
    ],
    ['no projects', yaml({ projects: '[]' }), 'credentials[0].projects: must be a list'],
    ['a number as a project', yaml({ projects: '[123]' }), 'projects: each must be a project id in quotes'],
    ['a path as a project', yaml({ projects: '[".."]' }), 'projects: each must be a project id'],
    ['an unknown limit', yaml({ limits: '{ retry: unlimited }' }), 'limits: unknown key "retry"'],
    [
      'a limit of nothing',
      yaml({ limits: '{ retryTask: { calls: 0 } }' }),
      'limits.retryTask.calls: must be a whole number',
    ],
    [
      'an unknown key in a limit',
      yaml({ limits: '{ retryTask: { call: 1 } }' }),
      'limits.retryTask: unknown key "call"',
    ],
    ['a limit as a number', yaml({ limits: '{ retryTask: 5 }' }), 'limits.retryTask: must be a mapping'],
    ['a time-out in words', yaml({ timeoutMs: '30s' }), 'timeoutMs: must be a whole number from 100 to 300000'],
    ['a name twice', yaml() + yaml().replace('credentials:\n', ''), 'credentials[1].name: is taken by an earlier one'],
  ])('%s', (_title, text, expected) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(expected)]);
  });

  it('says everything at once', () => {
    const text = yaml({
      name: 'X',
      hssUrl: 'ftp://a',
      projects: '[]',
      timeoutMs: '1',
      egres: 'x',
      auth: '{ kind: password }',
    });
    expect(problemsOf(text).map((problem) => problem.split(': ')[0])).toEqual([
      'credentials[0].name',
      'credentials[0].hssUrl',
      'credentials[0].auth.userName',
      'credentials[0].auth.domainName',
      'credentials[0].auth.password',
      'credentials[0].projects',
      'credentials[0].timeoutMs',
      'credentials[0]',
    ]);
  });

  it('is never quoted, since a value may be a secret in the wrong place', () => {
    const secret = 'S3CRET+/=';
    const texts = [
      yaml({
        name: secret,
        hssUrl: `ftp://${secret}`,
        egress: `"${secret} x"`,
        projects: `[{ a: "${secret}" }]`,
        timeoutMs: secret,
      }),
      yaml({ auth: `{ kind: ${secret} }` }),
      yaml({ auth: `{ kind: aksk, accessKeyEnv: ${secret}, secretKeyFile: ${secret} }` }),
      `credentials: *${secret}`,
      `credentials: [${secret}`,
      `credentials: "${secret}\\x"`,
      `!${secret} x`,
    ];
    for (const text of texts) {
      const problems = problemsOf(text);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join('\n')).not.toContain('S3CRET');
    }
  });
});
