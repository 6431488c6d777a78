import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AppConfig } from '../../../src/config/app-config.js';
import { ConfigError } from '../../../src/config/config-error.js';
import { envVariables } from '../../../src/config/env-variables.js';
import { describeEnv, parseEnv } from '../../../src/config/parse-env.js';
import { defaultCallbackPolicy } from '../../../src/domain/callback.js';
import { defaultRetryPolicy } from '../../../src/domain/retry-policy.js';

const folder = mkdtempSync(join(tmpdir(), 'rescan-config-'));
const CREDENTIALS_FILE = join(folder, 'credentials.yaml');
const CALLBACK_SECRETS_FILE = join(folder, 'callback-secrets');
const SECRETS = ['a', 'b'].map((byte) => `whsec_${Buffer.alloc(24, byte).toString('base64')}`);
beforeAll(() => {
  writeFileSync(join(folder, 'sk'), 'SK1\n');
  writeFileSync(CALLBACK_SECRETS_FILE, `${SECRETS.join('\n')}\n`);
  writeFileSync(
    CREDENTIALS_FILE,
    `credentials:
  - name: main
    hssUrl: hss.example.com
    iamUrl: iam.example.com
    auth: { kind: aksk, accessKeyEnv: HSS_AK, secretKeyFile: sk }
    projects: "*"
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

const DATABASE_URL = 'postgresql://u:hidden@localhost/rescan';
const least = { DATABASE_URL, CREDENTIALS_FILE, HSS_AK: 'AK1' };

const SIGNING_KEY = aSigningKey();

function aSigningKey(): { pem: string; base64: string } {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, base64: pem.split('\n')[1] ?? '' };
}

function problemsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    parseEnv(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the environment', () => {
  it('needs a database and credentials, and has a default for all the rest', () => {
    const { credentials, databaseUrl, errorClasses, ...config } = parseEnv(least);
    expect(config).toEqual({
      role: 'all',
      http: { host: '127.0.0.1', port: 3000 },
      databasePoolSize: 10,
      redisUrl: null,
      redisEviction: 'refuse',
      startTimeoutMs: 30_000,
      policy: defaultRetryPolicy,
      callbacks: {
        secrets: [],
        allowPrivate: false,
        concurrency: 32,
        timeoutMs: 10_000,
        policy: defaultCallbackPolicy,
      },
      audit: { headIntervalMs: 600_000, signingKey: null },
      maxOpenTargets: 1_000_000,
      idempotencyRetentionMs: 30 * 86_400_000,
      pastAfterMs: 7 * 86_400_000,
      sweepMs: 1_000,
      workerConcurrency: 32,
      shutdownGraceMs: 8_000,
      logLevel: 'info',
    });
    expect(databaseUrl.reveal()).toBe(DATABASE_URL);
    expect(errorClasses.size).toBe(0);
    expect(credentials).toMatchObject([{ name: 'main', hssUrl: 'https://hss.example.com' }]);
  });

  it('reads files named in the credentials file from beside it', () => {
    const auth = parseEnv(least).credentials[0]?.auth;
    expect(auth?.kind === 'aksk' && auth.secretKey.reveal()).toBe('SK1');
  });

  it.each<[Record<string, string>, (config: AppConfig) => unknown, unknown]>([
    [{ ROLE: 'worker' }, (c) => c.role, 'worker'],
    [{ HOST: '::1', PORT: '0' }, (c) => c.http, { host: '::1', port: 0 }],
    [{ PORT: '  8080 ' }, (c) => c.http.port, 8080],
    [{ PORT: '' }, (c) => c.http.port, 3000],
    [{ REDIS_URL: '' }, (c) => c.redisUrl, null],
    [{ REDIS_URL: 'rediss://:pw@r:6379/1' }, (c) => c.redisUrl?.reveal(), 'rediss://:pw@r:6379/1'],
    [{ DATABASE_POOL_SIZE: '3' }, (c) => c.databasePoolSize, 3],
    [{ MAX_OPEN_TARGETS: '7' }, (c) => c.maxOpenTargets, 7],
    [{ IDEMPOTENCY_RETENTION: '2d' }, (c) => c.idempotencyRetentionMs, 172_800_000],
    [{ SWEEP_INTERVAL: '250ms' }, (c) => c.sweepMs, 250],
    [{ PAST_AFTER: '30d' }, (c) => c.pastAfterMs, 30 * 86_400_000],
    [{ SHUTDOWN_GRACE: '1.5s' }, (c) => c.shutdownGraceMs, 1_500],
    [{ WORKER_CONCURRENCY: '2' }, (c) => c.workerConcurrency, 2],
    [{ REDIS_EVICTION: 'warn' }, (c) => c.redisEviction, 'warn'],
    [{ START_TIMEOUT: '2m' }, (c) => c.startTimeoutMs, 120_000],
    [{ LOG_LEVEL: 'silent' }, (c) => c.logLevel, 'silent'],
    [{ AUDIT_HEAD_INTERVAL: '1m' }, (c) => c.audit.headIntervalMs, 60_000],
    [{ AUDIT_SIGNING_KEY: SIGNING_KEY.pem }, (c) => c.audit.signingKey?.reveal(), SIGNING_KEY.pem.trim()],
    [{ AUDIT_SIGNING_KEY: SIGNING_KEY.base64 }, (c) => c.audit.signingKey?.reveal(), SIGNING_KEY.pem.trim()],
    [
      { HSS_ERROR_CLASSES: 'HSS.1021=rejected_task, HSS.1019=unavailable,00000012=blocked,' },
      (c) => [...c.errorClasses],
      [
        ['HSS.1021', 'rejected_task'],
        ['HSS.1019', 'unavailable'],
        ['00000012', 'blocked'],
      ],
    ],
    [
      {
        POLICY_VERSION: '2026-08.b',
        RETRY_BACKOFF_BASE: '1s',
        RETRY_BACKOFF_CAP: '2s',
        RETRY_SLOW_BACKOFF_BASE: '3s',
        RETRY_SLOW_BACKOFF_CAP: '4s',
        RETRY_MAX_ATTEMPTS: '9',
        LINGER: '1s',
        LEASE_MARGIN: '5s',
        VERDICT_TIMEOUT: '6m',
        LOOKUP_GRACE: '12s',
        LOOKUP_BACKOFF_BASE: '13s',
        LOOKUP_BACKOFF_CAP: '14s',
        LOOKUP_GIVE_UP_AFTER: '15m',
        LOOKUP_GIVE_UP_AS: 'send_again',
        LISTING_KEEP: '16m',
        LISTING_HOLD: '17s',
        VERDICT_POLL: '18s',
        VERDICT_POLL_CAP: '19s',
        VERDICT_READ_THROUGH: '20m',
        ROUND_PAUSE: '21s',
        MAX_AGE: '7h',
        BREAKER_FAILURES: '8',
        BREAKER_OPEN: '9s',
        CREDENTIAL_OPEN: '10s',
        SPLIT_BUDGET: '11',
      },
      (c) => c.policy,
      {
        version: '2026-08.b',
        backoff: { baseMs: 1_000, capMs: 2_000 },
        slowBackoff: { baseMs: 3_000, capMs: 4_000 },
        maxAttempts: 9,
        lingerMs: 1_000,
        leaseMarginMs: 5_000,
        verdictTimeoutMs: 360_000,
        lookup: {
          graceMs: 12_000,
          backoff: { baseMs: 13_000, capMs: 14_000 },
          giveUpAfterMs: 900_000,
          giveUpAs: 'send_again',
        },
        listing: { keepMs: 960_000, holdMs: 17_000 },
        verdict: { poll: { baseMs: 18_000, capMs: 19_000 }, readThroughMs: 1_200_000, roundPauseMs: 21_000 },
        maxAgeMs: 25_200_000,
        breaker: { failures: 8, openMs: 9_000 },
        credentialOpenMs: 10_000,
        splitBudget: 11,
        defaultPauseMs: defaultRetryPolicy.defaultPauseMs,
      },
    ],
    [
      {
        CALLBACK_SECRETS: `${SECRETS.join('  ')} `,
        CALLBACK_ALLOW_PRIVATE: 'true',
        CALLBACK_CONCURRENCY: '3',
        CALLBACK_TIMEOUT: '4s',
        CALLBACK_BACKOFF_BASE: '1s',
        CALLBACK_BACKOFF_CAP: '2m',
        CALLBACK_GIVE_UP_AFTER: '3h',
      },
      ({ callbacks }) => ({ ...callbacks, secrets: callbacks.secrets.map((secret) => secret.reveal()) }),
      {
        secrets: SECRETS,
        allowPrivate: true,
        concurrency: 3,
        timeoutMs: 4_000,
        policy: { backoff: { baseMs: 1_000, capMs: 120_000 }, giveUpAfterMs: 10_800_000 },
      },
    ],
    [{ CALLBACK_SECRETS_FILE }, (c) => c.callbacks.secrets.map((secret) => secret.reveal()), SECRETS],
  ])('%j', (env, read, expected) => expect(read(parseEnv({ ...least, ...env }))).toEqual(expected));

  it('is frozen, and shows no secret', () => {
    const config = parseEnv(least);
    for (const part of [
      config,
      config.http,
      config.policy,
      config.policy.backoff,
      config.policy.breaker,
      config.callbacks,
      config.callbacks.policy.backoff,
      config.credentials,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(JSON.stringify(config)).not.toMatch(/hidden|AK1|SK1/);
  });
});

describe('a bad environment', () => {
  it.each<[Record<string, string | undefined>, string]>([
    [{ ROLE: 'both' }, 'ROLE: must be one of api, worker, all'],
    [{ HOST: 'a b' }, 'HOST: must be a host name or an address'],
    [{ PORT: '65536' }, 'PORT: must be a whole number from 0 to 65535'],
    [{ PORT: '3e3' }, 'PORT: must be a whole number'],
    [{ PORT: '-1' }, 'PORT: must be a whole number'],
    [{ DATABASE_URL: undefined }, 'DATABASE_URL: is not set: PostgreSQL 18 or newer'],
    [{ DATABASE_URL: ' ' }, 'DATABASE_URL: is not set'],
    [{ DATABASE_URL: 'mysql://hidden' }, 'DATABASE_URL: must be a URL that starts with postgres:// or postgresql://'],
    [{ REDIS_URL: 'hidden:6379' }, 'REDIS_URL: must be a URL that starts with redis:// or rediss://'],
    [{ CREDENTIALS_FILE: undefined }, 'CREDENTIALS_FILE: is not set'],
    [{ CREDENTIALS_FILE: '/nowhere/hidden' }, 'CREDENTIALS_FILE: the file cannot be read (ENOENT)'],
    [
      { HSS_AK: undefined },
      'CREDENTIALS_FILE: credentials[0].auth.accessKeyEnv: the environment variable it names is not set',
    ],
    [{ SWEEP_INTERVAL: '1' }, 'SWEEP_INTERVAL: must be a duration from 50ms to 1m'],
    [{ SWEEP_INTERVAL: '0s' }, 'SWEEP_INTERVAL: must be a duration'],
    [{ MAX_AGE: '1w' }, 'MAX_AGE: must be a duration'],
    [{ MAX_AGE: '366d' }, 'MAX_AGE: must be a duration from 1ms to 365d'],
    [{ LOG_LEVEL: 'hidden' }, 'LOG_LEVEL: must be one of'],
    [{ HSS_ERROR_CLASSES: 'HSS.1021=hidden' }, 'HSS_ERROR_CLASSES: must be a list such as'],
    [{ HSS_ERROR_CLASSES: 'APIGW.0308=unknown' }, 'HSS_ERROR_CLASSES: must be a list such as'],
    [{ HSS_ERROR_CLASSES: 'HSS.1021=unknown,HSS.1021=blocked' }, 'HSS_ERROR_CLASSES: must be a list such as'],
    [{ RETRY_BACKOFF_CAP: '1s' }, 'RETRY_BACKOFF_CAP: must not be less than RETRY_BACKOFF_BASE'],
    [{ RETRY_SLOW_BACKOFF_BASE: '2h' }, 'RETRY_SLOW_BACKOFF_CAP: must not be less than RETRY_SLOW_BACKOFF_BASE'],
    [{ CALLBACK_SECRETS: 'hidden' }, 'CALLBACK_SECRETS: must be 1 to 5 secrets'],
    [{ CALLBACK_SECRETS: `whsec_${'A'.repeat(31)}` }, 'CALLBACK_SECRETS: must be 1 to 5 secrets'],
    [{ CALLBACK_SECRETS: `whsec_${'A'.repeat(88)}` }, 'CALLBACK_SECRETS: must be 1 to 5 secrets'],
    [{ CALLBACK_SECRETS: Array(6).fill(SECRETS[0]).join(' ') }, 'CALLBACK_SECRETS: must be 1 to 5 secrets'],
    [
      { CALLBACK_SECRETS_FILE: '/nowhere/hidden' },
      'CALLBACK_SECRETS_FILE: must be the path of a file that can be read',
    ],
    [{ CALLBACK_SECRETS_FILE: CREDENTIALS_FILE }, 'CALLBACK_SECRETS_FILE: must be a file that holds 1 to 5 secrets'],
    [
      { CALLBACK_SECRETS: SECRETS[0], CALLBACK_SECRETS_FILE },
      'CALLBACK_SECRETS_FILE: goes instead of CALLBACK_SECRETS',
    ],
    [{ CALLBACK_ALLOW_PRIVATE: 'yes' }, 'CALLBACK_ALLOW_PRIVATE: must be true or false'],
    [{ CALLBACK_BACKOFF_CAP: '1s' }, 'CALLBACK_BACKOFF_CAP: must not be less than CALLBACK_BACKOFF_BASE'],
    [{ POLICY_VERSION: 'a b' }, 'POLICY_VERSION: must be 1 to 40 letters'],
  ])('%j', (env, expected) => {
    const problems = problemsOf({ ...least, ...env });
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems.join()).not.toContain('hidden');
  });

  it('says everything at once, line by line', () => {
    expect(() => parseEnv({ PORT: 'x', ROLE: 'y' })).toThrow(
      /^The configuration has 4 problems:\n {2}ROLE: .+\n {2}PORT: .+\n {2}DATABASE_URL: .+\n {2}CREDENTIALS_FILE: .+$/,
    );
  });
});

describe('the description of the environment', () => {
  it('has a line for each variable, with its default', () => {
    const lines = describeEnv().split('\n');
    const variables = Object.values(envVariables);
    expect(lines.map((line) => line.split(' ')[0])).toEqual(variables.map(({ name }) => name));
    expect(lines).toContainEqual(expect.stringMatching(/^RETRY_BACKOFF_CAP +15m +longest wait/));
    expect(lines).toContainEqual(expect.stringMatching(/^DATABASE_URL +\(required\) +/));
  });

  it('states defaults that can be parsed, and those are the defaults', () => {
    const stated = Object.values(envVariables).flatMap(({ name, fallback }) => (fallback ? [[name, fallback]] : []));
    expect(parseEnv({ ...least, ...Object.fromEntries(stated) })).toEqual(parseEnv(least));
  });
});
