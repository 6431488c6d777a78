import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import {
  aCaller,
  allFailed,
  aSimulator,
  aTask,
  aToken,
  failed,
  key,
  login,
  officialClient,
  project,
  send,
  specific,
  user,
  type World,
} from './simulator-client.js';

let simulator: World;
beforeEach(async () => {
  simulator = await aSimulator({ tasks: [aTask({ clusters: failed('a', 'b') })] });
});
afterEach(() => simulator.close());

const admin = (method: string, path: string, body?: unknown) =>
  send(simulator.url, { method, path: `/__admin/${path}`, body });
const entries = async (query = ''): Promise<any[]> => (await admin('GET', `ledger${query}`)).json.entries;

describe('the ledger', () => {
  it('holds every request as it arrived, and what became of it', async () => {
    const { retry, token } = await aCaller(simulator);
    const body = JSON.stringify(specific('b', 'a'), null, 1);
    const answer = await retry(body, 'task-1', '?enterprise_project_id=0');

    const [, entry] = await entries();
    expect(entry).toMatchObject({
      seq: 2,
      at: simulator.now(),
      operation: 'RetryTask',
      projectId: project,
      taskId: 'task-1',
      method: 'PUT',
      path: `/v5/${project}/common/tasks/task-1/retry`,
      query: 'enterprise_project_id=0',
      headers: { 'content-type': 'application/json', 'x-auth-token': `<${token.length} characters>` },
      credential: 'user',
      authenticatedBy: 'token',
      body,
      bodySha256: createHash('sha256').update(body).digest('hex'),
      faults: [],
      clustersTaken: ['b', 'a'],
      reply: { kind: 'answered', status: 200, code: null, requestId: answer.headers['x-request-id'] },
    });
  });

  it('holds refused and unknown requests too', async () => {
    await send(simulator.url, { path: '/v5/nothing?x=1' });
    await send(simulator.url, { method: 'PUT', path: `/v5/${project}/common/tasks/task-1/retry`, body: allFailed });

    expect(await entries()).toMatchObject([
      { operation: null, path: '/v5/nothing', query: 'x=1', reply: { status: 404, code: 'APIGW.0101' } },
      { operation: 'RetryTask', credential: null, reply: { status: 401, code: 'APIGW.0301' }, clustersTaken: [] },
    ]);
  });

  it('holds no secret', async () => {
    const token = await aToken(simulator);
    for (const path of ['/v3/auth/tokens', '/v3/auth/tokens/']) {
      await send(simulator.iamUrl, { method: 'POST', path, body: login() });
    }
    await (await aCaller(simulator)).retry(allFailed, 'task-1', '');
    await officialClient(simulator).retry('task-1', allFailed);

    const text = (await admin('GET', 'ledger')).text;
    for (const secret of [token.slice(0, 40), user.password, key.sk]) expect(text).not.toContain(secret);
    expect(text).not.toMatch(/Signature=[0-9a-f]/);
    expect(text).toContain(`Access=${key.ak}`);
  });

  it('can be asked for what came later, and for one operation', async () => {
    const { retry, tasks } = await aCaller(simulator);
    await tasks();
    await retry(allFailed);
    expect((await entries('?since=1')).map(({ operation }) => operation)).toEqual(['ListTasks', 'RetryTask']);
    expect((await entries('?operation=RetryTask')).map(({ seq }) => seq)).toEqual([3]);
    expect((await admin('GET', 'ledger?operation=Nothing')).status).toBe(400);
  });

  it('goes on counting after it was cleared', async () => {
    const { tasks } = await aCaller(simulator);
    await admin('DELETE', 'ledger');
    await tasks();
    expect((await entries()).map(({ seq }) => seq)).toEqual([2]);
  });

  it('keeps the newest, and no bodies if it shall not', async () => {
    const small = await aSimulator({ ledger: { maxEntries: 3, keepBodies: false } });
    const { tasks } = await aCaller(small);
    for (let i = 0; i < 50; i += 1) await tasks();
    expect(small.controls.ledger().map(({ seq, body }) => [seq, body])).toEqual([49, 50, 51].map((seq) => [seq, null]));
    await small.close();
  });
});

describe('the admin routes', () => {
  it('show tasks, and the clusters of one', async () => {
    const [task] = (await admin('GET', 'state')).json.tasks;
    expect(task).toEqual({
      projectId: project,
      enterpriseProjectId: '0',
      taskId: 'task-1',
      taskName: expect.any(String),
      status: 'finished',
      counts: { scanning: 0, success: 0, failed: 2 },
    });
    const [detailed] = (await admin('GET', 'state?taskId=task-1')).json.tasks;
    expect(detailed.clusters).toMatchObject([
      { clusterId: 'a', status: 'failed', rounds: 0, pending: false },
      { clusterId: 'b' },
    ]);
  });

  it('add tasks', async () => {
    const added = await admin('POST', 'tasks', { count: 3, failedClusters: 7, healthyClusters: 3 });
    expect(added.status).toBe(201);
    const taskIds = added.json.tasks.map(({ taskId }: any) => taskId);
    expect(new Set(taskIds).size).toBe(3);

    const { resources } = await aCaller(simulator);
    const { json } = await resources({ scan_status: 'failed' }, '', taskIds[1]);
    expect(json.total_num).toBe(7);
  });

  it('add and clear faults', async () => {
    const rule = { operation: 'RetryTask', times: null, effect: { kind: 'error', status: 503, code: 'APIGW.0605' } };
    const added = await admin('POST', 'faults', [rule, { ...rule, id: 'second' }]);
    expect(added.json.faults.map(({ id }: any) => id)).toEqual(['fault-1', 'second']);

    const { retry } = await aCaller(simulator);
    expect((await retry(allFailed)).status).toBe(503);
    await admin('DELETE', 'faults?id=second');
    expect((await admin('GET', 'faults')).json.faults).toMatchObject([{ id: 'fault-1', left: null }]);
    await admin('DELETE', 'faults');
    expect((await retry(allFailed)).status).toBe(200);
  });

  it('change limits, scans and switches', async () => {
    expect((await admin('PATCH', 'limits', { user: { calls: 1, windowMs: 1_000 } })).json.user).toEqual({
      calls: 1,
      windowMs: 1_000,
    });
    expect((await admin('PATCH', 'scans', { stuckRate: 1 })).json.stuckRate).toBe(1);
    expect((await admin('PATCH', 'behaviour', { unknownTask: 'accept' })).json.unknownTask).toBe('accept');

    const { retry } = await aCaller(simulator);
    await retry(allFailed);
    expect((await retry(allFailed)).status).toBe(429);
    simulator.advance(10_000_000);
    expect(simulator.controls.tasks()[0]?.counts.scanning).toBe(2);
    expect((await retry(allFailed, 'no-task')).status).toBe(200);
  });

  it('make tokens expire', async () => {
    const { retry } = await aCaller(simulator);
    expect((await admin('POST', 'expire-tokens')).status).toBe(204);
    expect((await retry(allFailed)).status).toBe(401);
  });

  it('go back to the scenario', async () => {
    const { retry } = await aCaller(simulator);
    await retry(allFailed);
    await admin('POST', 'reset');
    expect(await entries()).toEqual([]);
    expect(simulator.controls.tasks()).toMatchObject([{ counts: { failed: 2, scanning: 0 } }]);
  });

  it.each([
    ['POST', 'faults', '{'],
    ['POST', 'faults', {}],
    ['POST', 'faults', { effect: { kind: 'explode' } }],
    ['POST', 'faults', { effect: { kind: 'reset' } }],
    ['POST', 'faults', { effect: { kind: 'error', status: 42 } }],
    ['POST', 'faults', { efect: { kind: 'half' } }],
    ['POST', 'faults', { times: 0, effect: { kind: 'half' } }],
    ['POST', 'tasks', { failed: 3 }],
    ['POST', 'tasks', { clusters: [{}] }],
    ['PATCH', 'limits', { user: 5 }],
    ['PATCH', 'limits', { operations: { Nothing: {} } }],
    ['PATCH', 'scans', { successRate: 2 }],
    ['PATCH', 'behaviour', { unknownTask: 'maybe' }],
  ])('%s %s refuses %j', async (method, path, body) => {
    const answer = await admin(method, path, body);
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error: expect.any(String) });
  });

  it('do not know others', async () => {
    expect((await admin('GET', 'nothing')).status).toBe(404);
    expect((await admin('GET', 'constructor')).status).toBe(404);
  });
});

it('tells its own time in the Date header', async () => {
  simulator.advance(3_600_000);
  const { headers } = await send(simulator.url, { path: '/' });
  expect(Math.abs(Date.parse(String(headers.date)) - simulator.now())).toBeLessThan(1_000);
});

it('refuses a body of more than 12 MiB', async () => {
  const answer = await send(simulator.url, {
    method: 'PUT',
    path: '/v5/p/common/tasks/t/retry',
    body: 'x'.repeat(12 * 1_024 * 1_024 + 1),
  });
  expect([answer.status, answer.json.error_code]).toEqual([413, 'APIGW.0201']);
});

it.each([
  ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(70_000)}\r\n\r\n`, 'HTTP/1.1 494'],
  ['what is no HTTP', 'hello\r\n\r\n', 'HTTP/1.1 400'],
])('refuses %s', async (_title, bytes, expected) => {
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(simulator.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  });
  expect(answer).toContain(expected);
});
