import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { Webhook } from 'standardwebhooks';
import type { SealHead } from '../../src/domain/seal-head.js';
import { isSignedBy } from '../../src/sealing/head-signature.js';
import type { ApiClient } from '../support/api-client.js';
import { eventually } from '../support/eventually.js';
import { Receiver, replies } from '../support/receiver.js';
import { createTestFolder } from '../support/test-folder.js';
import { retryOf, ServiceRig, type QueueBackend, QUEUE_BACKENDS } from '../support/service-rig.js';
import { spawnService, type ServiceProcess } from '../support/service-process.js';
import type { PageView } from '../support/wire-types.js';

/** Nothing else looks like these. */
const canary = (name: string) => `canary-${name}-${randomBytes(12).toString('hex')}`;
const audit = generateKeyPairSync('ed25519');
const auditKey = audit.privateKey.export({ type: 'pkcs8', format: 'der' });
const SECRETS = {
  accessKey: canary('ak'),
  secretKey: canary('sk'),
  securityToken: canary('token'),
  password: canary('password'),
  callback: `whsec_${randomBytes(32).toString('base64')}`,
  auditKey: auditKey.toString('base64'),
  // As a column of bytes shows it.
  auditKeyHex: auditKey.toString('hex'),
};
const HEADS = '/v1/audit/heads?projectId=project-1';
const USER = { name: 'svc', password: SECRETS.password, domain: 'acme' };
const KEY = { ak: SECRETS.accessKey, sk: SECRETS.secretKey, securityToken: SECRETS.securityToken };

async function openRig(queue: QueueBackend): Promise<ServiceRig> {
  return ServiceRig.open({
    queue,
    scenario: {
      credentials: [
        { name: 'by-key', projects: ['project-1'], accessKey: KEY },
        { name: 'by-password', projects: ['project-2'], user: USER },
      ],
    },
    credentials: [
      {
        projects: ['project-1'],
        auth: { kind: 'aksk', accessKeyEnv: 'CANARY_AK', secretKeyEnv: 'CANARY_SK', securityTokenEnv: 'CANARY_TOKEN' },
      },
      {
        name: 'second',
        projects: ['project-2'],
        auth: { kind: 'password', userName: 'svc', domainName: 'acme', passwordEnv: 'CANARY_PASSWORD' },
      },
    ],
    env: {
      LOG_LEVEL: 'debug',
      BREAKER_FAILURES: '100',
      CANARY_AK: SECRETS.accessKey,
      CANARY_SK: SECRETS.secretKey,
      CANARY_TOKEN: SECRETS.securityToken,
      CANARY_PASSWORD: SECRETS.password,
      CALLBACK_SECRETS: SECRETS.callback,
      CALLBACK_ALLOW_PRIVATE: 'true',
      AUDIT_SIGNING_KEY: SECRETS.auditKey,
      AUDIT_HEAD_INTERVAL: '1s',
    },
  });
}

describe.each(QUEUE_BACKENDS)('a secret, with the queue on %s,', (queue) => {
  let rig: ServiceRig;
  let service: ServiceProcess;
  let operator: ApiClient;
  let receiver: Receiver;
  let secrets: string[];
  const answers: string[] = [];

  beforeAll(async () => {
    rig = await openRig(queue);
    receiver = await Receiver.open();
    service = await rig.start();
    operator = await rig.operator();
    const reader = await rig.client({ scopes: ['requests:read'] });
    secrets = [...Object.values(SECRETS), operator.key, reader.key];
    await haveTrouble(operator, reader);
  });

  afterAll(async () => {
    await receiver.close();
    await rig.close();
  });

  /** Calls that go well and wrong, the upstream quoting what it was sent; and callers who put their key where it does not belong. */
  async function haveTrouble(good: ApiClient, reader: ApiClient): Promise<void> {
    for (const { projectId, quoting } of [
      { projectId: 'project-1', quoting: `verify aksk signature fail: ${Object.values(KEY).join(', ')}` },
      { projectId: 'project-2', quoting: `decrypt token fail for ${USER.name}: ${USER.password}` },
    ]) {
      const first = await good.submit(retryOf(rig.task(2, { projectId })));
      await good.untilAllAccepted(first.id);
      for (const effect of [
        { kind: 'error', status: 401, code: 'APIGW.0301', message: quoting },
        { kind: 'error', status: 502, code: 'APIGW.0605', message: quoting },
      ] as const) {
        const task = rig.task(1, { projectId });
        rig.simulator.controls.addFaults({ taskId: task.taskId, effect });
        await good.untilAllAccepted((await good.submit(retryOf(task))).id);
      }
      const refused = rig.task(1, { projectId });
      rig.simulator.controls.addFaults({
        taskId: refused.taskId,
        effect: { kind: 'error', status: 400, code: 'HSS.0010', message: quoting },
      });
      receiver.nextAre(replies.status(500, { 'x-quoting': SECRETS.callback }));
      const { id } = await good.submit({ ...retryOf(refused), callbackUrl: receiver.url() });
      await good.until(id, ({ state }) => state === 'finished');
      const told = await eventually(async () => {
        const { body } = await good.get(`/v1/requests/${id}/callbacks`);
        return body.items.length > 0 && body.items[0].finishedAt !== null ? body : null;
      });
      answers.push(JSON.stringify([await good.targets(id), await good.calls(id), await good.lane(), told]));
    }
    // Transactions of other tests hold the sealer up.
    await eventually(() => aSignedHead(good), { limitMs: 60_000 });
    for (const client of [good, reader]) {
      for (const path of [
        `/v1/requests/${client.key}`,
        `/v1/requests?cursor=${client.key}`,
        `/${client.key}`,
        '/metrics',
        HEADS,
        '/v1/audit/keys',
      ]) {
        answers.push(JSON.stringify((await client.get(path)).body));
      }
      answers.push(
        JSON.stringify((await client.post('/v1/requests', { [client.key]: client.key, taskId: [client.key] })).body),
      );
    }
  }

  async function aSignedHead(client: ApiClient): Promise<SealHead | undefined> {
    const { body } = await client.get<PageView<SealHead>>(HEADS);
    return body.items.find(({ signature }) => signature !== null);
  }

  function expectNoneIn(what: string, text: string): void {
    expect([what, secrets.filter((secret) => text.includes(secret))]).toEqual([what, []]);
  }

  it('really was in use', async () => {
    const used = rig.simulator.controls.ledger().map(({ authenticatedBy, reply }) => [authenticatedBy, reply?.kind]);
    expect(used).toContainEqual(['aksk', 'answered']);
    expect(used).toContainEqual(['token', 'answered']);
    expect(answers.join()).toContain('[secret]');
    const { body, headers } = receiver.received[0]!;
    new Webhook(SECRETS.callback).verify(body, headers as Record<string, string>);
    const head = await aSignedHead(operator);
    expect(head && isSignedBy(head, audit.publicKey)).toBe(true);
  });

  it('is in no table, neither of rescan nor of the queue', async () => {
    const tables = await rig.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'`,
    );
    const names = tables.map(({ name }) => name);
    expect(names).toContain('public.request');
    expect(names.some((name) => name.startsWith('bullmq.'))).toBe(queue === 'postgres');
    for (const name of names) {
      const rows = await rig.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
      expectNoneIn(name, rows.map(({ row }) => row).join('\n'));
    }
    const keys = await rig.query<{ hash: Buffer }>('SELECT hash FROM api_key');
    expect(keys.map(({ hash }) => hash.length)).toEqual([32, 32]);
  });

  it('is in no key and no value of Redis', async () => {
    if (!rig.redis) return;
    const redis = new Redis(rig.redis.url);
    const keys = await redis.keys('*');
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expectNoneIn(key, `${key} ${(await redis.dumpBuffer(key)).toString('latin1')}`);
    await redis.quit();
  });

  it('is in no answer, no log line and no metric', async () => {
    expect(service.log().length).toBeGreaterThan(5);
    expectNoneIn('the answers', answers.join('\n'));
    expectNoneIn('the log', service.logText());
    expectNoneIn('the metrics', (await operator.get<string>('/metrics')).body);
    expectNoneIn('the OpenAPI document', JSON.stringify((await operator.get('/openapi.json')).body));
  });
});

describe('a configuration that is refused', () => {
  it('names what is wrong, and no value', async () => {
    const folder = await createTestFolder('refused');
    const broken = canary('database');
    // The end of it is missing.
    const brokenKey = SECRETS.auditKey.slice(0, -8);
    const service = await spawnService(
      {
        DATABASE_URL: `mysql://user:${broken}@localhost/x`,
        REDIS_URL: `http://${broken}`,
        CREDENTIALS_FILE: `/nowhere/${broken}`,
        AUDIT_SIGNING_KEY: brokenKey,
      },
      folder,
    );
    expect(await service.exited).toEqual({ code: 1, signal: null });
    const text = service.logText();
    expect(text).toMatch(/DATABASE_URL[^]*REDIS_URL[^]*AUDIT_SIGNING_KEY[^]*CREDENTIALS_FILE/);
    expect(text).not.toContain(broken);
    expect(text).not.toContain(brokenKey);
  });
});
