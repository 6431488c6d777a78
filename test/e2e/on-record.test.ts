import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ApiClient } from '../support/api-client.js';
import { aFiredSchedule, retryOf, ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';

interface EventRow {
  readonly kind: string;
  readonly actor: string;
  readonly key_id: string | null;
  readonly project_id: string | null;
  readonly data: Record<string, unknown>;
}

let rig: ServiceRig;
let service: ServiceProcess;
let operator: ApiClient;
let request: string;
let schedule: string;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [{ projects: ['project-1'] }, { name: 'other', projects: ['project-2'] }],
  });
  service = await rig.start();
  operator = await rig.operator();
  ({ id: request } = await operator.submit(retryOf(rig.task(2))));
  await operator.untilAllAccepted(request);
  ({ schedules: schedule } = await aFiredSchedule(operator, rig.task(0)));
});
afterAll(() => rig.close());

const events = (condition = 'true'): Promise<EventRow[]> =>
  rig.query<EventRow>(`SELECT kind, actor, key_id, project_id, data FROM event WHERE ${condition} ORDER BY id`);

const none = (): undefined => undefined;

/** A writing route, and what it leaves on record. */
const WRITING: readonly (readonly [route: string, kind: string, data: object, body: () => object | undefined])[] = [
  ['POST /v1/requests', 'request.submitted', { source: 'api', targets: 1 }, () => retryOf(rig.task(1))],
  ['PATCH /v1/lanes/main.retryTask', 'lane.limit_changed', { limit: { from: null, to: 3 } }, () => ({ limit: 3 })],
  [
    'PATCH /v1/lanes/main.retryTask',
    'lane.weights_changed',
    { weights: { a: { from: 1, to: 2 } } },
    () => ({ weights: { a: 2 } }),
  ],
  ['POST /v1/lanes/main.retryTask/pause', 'lane.paused', {}, none],
  ['POST /v1/requests/{request}/cancel', 'request.cancelled', {}, none],
  ['POST /v1/lanes/main.retryTask/resume', 'lane.resumed', {}, none],
  ['PUT /v1/projects/project-1/pause', 'project.paused', {}, () => ({ paused: true })],
  ['PUT /v1/projects/project-1/pause', 'project.resumed', {}, () => ({ paused: false })],
  [
    'POST /v1/schedules',
    'schedule.created',
    { name: 'new', enabled: true },
    () => ({ name: 'new', projectId: 'project-1', selection: { lookbackHours: 1 }, every: '6h' }),
  ],
  ['PATCH /v1/schedules/{schedule}', 'schedule.changed', { minFailed: { from: 1, to: 2 } }, () => ({ minFailed: 2 })],
  ['POST /v1/schedules/{schedule}/resume', 'schedule.resumed', {}, none],
  ['POST /v1/schedules/{schedule}/pause', 'schedule.paused', {}, none],
  ['DELETE /v1/schedules/{schedule}', 'schedule.deleted', {}, none],
];

describe('what callers and operators do', () => {
  it.each(WRITING)('%s leaves %s %j', async (route, kind, data, body) => {
    const [method, pattern] = route.split(' ') as [string, string];
    const before = await events(`kind = '${kind}'`);
    // What has ended cannot be cancelled.
    const waiting = kind === 'request.cancelled' ? await aWaitingRequest() : request;
    const path = pattern.replace('{request}', waiting).replace('{schedule}', schedule);
    const answer = await operator.send(method, path, body(), { 'idempotency-key': randomUUID() });
    expect([answer.status < 300, answer.body]).toEqual([true, expect.anything()]);
    const left = (await events(`kind = '${kind}'`)).slice(before.length);
    expect(left).toMatchObject([{ kind, actor: 'operator', key_id: expect.any(String), data }]);
    expect(left[0]?.project_id).toBe(kind.startsWith('lane.') ? null : 'project-1');
    if (method === 'PATCH') expect(left[0]?.data).toEqual(data);
  });

  it('is all that can be done: no writing route is missing above or here', async () => {
    const shown = WRITING.map(([route]) => route.replace(/\{\w+\}|main\.retryTask|project-1/, '{id}'));
    const elsewhere = [
      'schedules/{id}/fire',
      'requests/{id}/replay',
      'calls/{id}/resolve',
      'audit/texts/{hash}/redact',
    ].map((path) => `POST /v1/${path}`);
    const { body } = await operator.get('/openapi.json');
    const routes = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const writing = routes.filter((route) => !route.startsWith('GET '));
    expect(writing.sort()).toEqual([...new Set([...shown, ...elsewhere])].sort());
  });

  it('a fire by hand names its schedule', async () => {
    expect(await events(`kind = 'schedule.fired' AND schedule_id = '${schedule}'`)).toMatchObject([
      { actor: 'operator', project_id: 'project-1', data: { kind: 'manual' } },
    ]);
  });

  it('a text that is redacted is gone, and its hash tells which it was', async () => {
    const [text] = await rig.query<{ hash: string }>(
      "INSERT INTO event_text (hash, text) VALUES (text_hash('said'), 'said') RETURNING encode(hash, 'hex') AS hash",
    );
    const hash = text?.hash ?? '';
    const redact = (reason?: string) => operator.post(`/v1/audit/texts/${hash}/redact`, { reason });
    expect((await redact()).status).toBe(400);
    expect([(await redact('a name')).status, (await redact('again')).status]).toEqual([204, 204]);
    expect((await operator.post(`/v1/audit/texts/${'0'.repeat(64)}/redact`, { reason: 'a name' })).status).toBe(404);
    expect(await events("kind = 'text.redacted'")).toMatchObject([
      { actor: 'operator', data: { hash, reason: 'a name' } },
    ]);
    expect(await rig.query("SELECT text FROM event_text WHERE hash = text_hash('said')")).toEqual([{ text: null }]);
  });

  it('a replay names what it repeats', async () => {
    const replayed = await aWaitingRequest();
    expect((await operator.cancel(replayed)).status).toBe(200);
    await operator.post('/v1/lanes/main.retryTask/resume');
    await operator.until(replayed, ({ state }) => state === 'cancelled');
    const { body } = await operator.replay(replayed, { results: ['cancelled'] });
    expect(await events(`kind = 'request.submitted' AND request_id = '${body.id}'`)).toMatchObject([
      { data: { source: 'replay', replayOf: replayed } },
    ]);
  });

  it('leaves nothing where nothing changed', async () => {
    const byOperator = "actor = 'operator'";
    const before = (await events(byOperator)).length;
    await operator.send('PATCH', '/v1/lanes/main.retryTask', { limit: 3 });
    await operator.send('PUT', '/v1/projects/project-1/pause', { paused: false });
    expect(await events(byOperator)).toHaveLength(before);
  });

  async function aWaitingRequest(): Promise<string> {
    await operator.post('/v1/lanes/main.retryTask/pause');
    return (await operator.submit(retryOf(rig.task(1)))).id;
  }
});

describe('refused access', () => {
  it('is on record with the key, the route and the reason, at the latest when the service stops', async () => {
    const reader = await rig.client({ caller: 'reader', scopes: ['audit:read'], projects: ['project-2'] });
    const stranger = await rig.client({ caller: 'stranger', scopes: ['ops'], projects: ['project-2'] });
    const writer = await rig.client({ caller: 'writer', scopes: ['requests:write', 'requests:read'] });
    const revoked = await rig.client({ caller: 'leaver' });
    await rig.query("UPDATE api_key SET revoked_at = now() WHERE caller = 'leaver'");
    const guessed = new ApiClient(service.url, 'rescan_guessed-key');

    const secret = 'what-may-stand-in-a-url';
    expect((await fetch(`${service.url}/v1/requests?cursor=${secret}`)).status).toBe(401);
    expect((await guessed.get('/v1/calls')).status).toBe(401);
    expect((await guessed.get('/v1/calls')).status).toBe(401);
    expect((await revoked.get('/v1/calls')).status).toBe(401);
    expect((await writer.get('/metrics')).status).toBe(403);
    expect((await writer.cancel(request)).status).toBe(403);
    expect((await reader.get(`/v1/requests/${request}`)).status).toBe(404);
    expect((await reader.get(`/v1/requests/${randomUUID()}`)).status).toBe(404);
    await rig.query(`
      INSERT INTO event_text (hash, text) VALUES (text_hash('theirs'), 'theirs');
      INSERT INTO event (kind, actor, project_id, text_hash, data) VALUES ('test.said', 'tester', 'project-1', text_hash('theirs'), '{}')`);
    const [theirs] = await rig.query<{ hash: string }>("SELECT encode(text_hash('theirs'), 'hex') AS hash");
    for (const hash of [theirs?.hash, '0'.repeat(64)]) {
      expect((await stranger.post(`/v1/audit/texts/${hash}/redact`, { reason: 'a name' })).status).toBe(404);
    }
    await service.stop();

    const seen = (await events("kind = 'access.refused'")).map(({ actor, key_id, data }) => {
      const { method, route, reason, count } = data;
      return JSON.stringify([actor, key_id !== null, method, route, reason, count]);
    });
    expect(seen.sort()).toEqual(
      [
        ['nobody', false, 'GET', '/v1/requests', 'no_key', 1],
        ['nobody', false, 'GET', '/v1/calls', 'unknown_key', 2],
        ['leaver', true, 'GET', '/v1/calls', 'revoked_key', 1],
        ['writer', true, 'GET', '/metrics', 'missing_scope', 1],
        ['writer', true, 'POST', '/v1/requests/:id/cancel', 'not_owner', 1],
        ['reader', true, 'GET', '/v1/requests/:id', 'other_project', 1],
        ['stranger', true, 'POST', '/v1/audit/texts/:hash/redact', 'other_project', 1],
      ]
        .map((one) => JSON.stringify(one))
        .sort(),
    );
    const all = JSON.stringify(await events());
    for (const text of [secret, 'guessed', operator.key]) expect(all).not.toContain(text);
  });
});
