import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  aCaller,
  allFailed,
  aSimulator,
  aTask,
  aToken,
  failed,
  failureOf,
  key,
  login,
  officialClient,
  project,
  send,
  type World,
} from './simulator-client.js';

const MINUTE = 60_000;
let simulator: World;

beforeEach(async () => {
  simulator = await aSimulator({ tasks: [aTask({ clusters: failed('a', 'b') })] });
});
afterEach(() => simulator.close());

describe('access keys, with the official client', () => {
  it('lets a well signed call through', async () => {
    const { httpStatusCode } = await officialClient(simulator).retry('task-1', allFailed);

    expect(httpStatusCode).toBe(200);
    expect(simulator.controls.ledger()[0]).toMatchObject({
      operation: 'RetryTask',
      credential: 'key',
      authenticatedBy: 'aksk',
      clustersTaken: ['a', 'b'],
    });
  });

  it('lets a call with a query through', async () => {
    const queryParams = { enterprise_project_id: 'all_granted_eps' };
    await expect(officialClient(simulator).retry('task-1', allFailed, queryParams)).resolves.toMatchObject({
      httpStatusCode: 200,
    });
  });

  it('refuses a wrong secret and takes nothing', async () => {
    const error = await failureOf(officialClient(simulator, { ...key, sk: 'wrong' }).retry('task-1', allFailed));

    expect(error).toMatchObject({ httpStatusCode: 401, errorCode: 'APIGW.0301' });
    expect(error.errorMsg).toContain('verify aksk signature fail');
    expect(simulator.controls.ledger()[0]?.reply).toMatchObject({ status: 401, requestId: error.requestId });
    expect(simulator.controls.clusters(project, 'task-1').map(({ rounds }) => rounds)).toEqual([0, 0]);
  });

  it('does not know a foreign key', async () => {
    const error = await failureOf(officialClient(simulator, { ...key, ak: 'FOREIGN' }).retry('task-1', allFailed));
    expect(error.errorMsg).toContain('ak not exist');
  });

  it.each([-16 * MINUTE, 16 * MINUTE])('refuses a signature that is %d ms off its clock', async (ms) => {
    simulator.advance(ms);
    const error = await failureOf(officialClient(simulator).retry('task-1', allFailed));
    expect(error).toMatchObject({ httpStatusCode: 401, errorCode: 'APIGW.0301' });
  });

  it('locks a key after more than five failures in a row, and unlocks it five minutes later', async () => {
    const [good, bad] = [officialClient(simulator), officialClient(simulator, { ...key, sk: 'wrong' })];
    for (let i = 0; i < 6; i += 1) await failureOf(bad.retry('task-1', allFailed));

    expect((await failureOf(good.retry('task-1', allFailed))).errorMsg).toContain(
      'AK access failed to reach the limit',
    );
    simulator.advance(5 * MINUTE);
    await expect(good.retry('task-1', allFailed)).resolves.toMatchObject({ httpStatusCode: 200 });
  });

  it('counts failures in a row only', async () => {
    const [good, bad] = [officialClient(simulator), officialClient(simulator, { ...key, sk: 'wrong' })];
    for (let i = 0; i < 5; i += 1) await failureOf(bad.retry('task-1', allFailed));
    await good.retry('task-1', allFailed);
    await failureOf(bad.retry('task-1', allFailed));

    await expect(good.retry('task-1', allFailed)).resolves.toMatchObject({ httpStatusCode: 200 });
  });
});

describe('tokens', () => {
  const hour = 60 * MINUTE;

  it('are issued with 201, in a header, for a day', async () => {
    const answer = await send(simulator.iamUrl, {
      method: 'POST',
      path: '/v3/auth/tokens?nocatalog=true',
      body: login(),
    });

    expect(answer.status).toBe(201);
    expect(answer.headers['x-subject-token']).toHaveLength(2_048);
    expect(answer.headers['x-iam-trace-id']).toBeDefined();
    expect(Date.parse(answer.json.token.expires_at)).toBe(simulator.now() + 24 * hour);
    expect(answer.json.token).toMatchObject({ project: { id: project } });
    expect(answer.json.token.catalog).toBeUndefined();
  });

  it('are scoped by a project name too', async () => {
    const body = login({}, { name: 'ap-southeast-1' });
    const { json } = await send(simulator.iamUrl, { method: 'POST', path: '/v3/auth/tokens', body });
    expect(json.token).toMatchObject({ project: { id: project }, catalog: [] });
  });

  it.each([
    ['a wrong password', login({ password: 'wrong' }), 401, 'Unauthorized'],
    ['an unknown user', login({ name: 'nobody' }), 401, 'Unauthorized'],
    ['an unknown domain', login({ domain: 'nowhere' }), 401, 'Unauthorized'],
    ['an unknown project name', login({}, { name: 'nowhere' }), 404, 'Not Found'],
    ['a body without auth', {}, 400, 'Bad Request'],
    ['a body that is no JSON', '{', 400, 'Bad Request'],
  ])('are refused for %s, in the form of IAM', async (_title, body, code, title) => {
    const answer = await send(simulator.iamUrl, { method: 'POST', path: '/v3/auth/tokens', body });

    expect(answer.status).toBe(code);
    expect(answer.json).toEqual({ error: { code, title, message: expect.any(String) } });
    expect(answer.headers['x-subject-token']).toBeUndefined();
  });

  it('open HSS until they expire', async () => {
    const { retry } = await aCaller(simulator);
    expect((await retry(allFailed)).status).toBe(200);

    simulator.advance(24 * hour);
    const expired = await retry(allFailed);
    expect(expired.status).toBe(401);
    expect(expired.json).toMatchObject({ error_code: 'APIGW.0307', error_msg: 'The token must be updated.' });
  });

  it('can all be made to expire at once', async () => {
    const { retry } = await aCaller(simulator);
    simulator.controls.expireTokens();
    expect((await retry(allFailed)).json.error_code).toBe('APIGW.0307');
  });

  it.each([
    ['none', {}, 'x-auth-token not found'],
    ['a foreign one', { 'x-auth-token': 'MIIx' }, 'decrypt token fail'],
    ['a broken authorization', { authorization: 'Bearer x' }, 'verify aksk signature fail'],
  ])('are missed: %s', async (_title, headers, reason) => {
    const answer = await send(simulator.hssUrl, {
      method: 'PUT',
      path: `/v5/${project}/common/tasks/task-1/retry`,
      headers,
      body: allFailed,
    });
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({
      error_code: 'APIGW.0301',
      error_msg: expect.stringContaining(reason),
      request_id: answer.headers['x-request-id'],
    });
  });

  it('are for one project', async () => {
    const { call } = await aCaller(simulator);
    const answer = await call('PUT', '/v5/another-project/common/tasks/task-1/retry', allFailed);
    expect([answer.status, answer.json.error_code]).toEqual([400, 'HSS.0010']);
  });

  it('may be 32,768 characters long', async () => {
    const long = await aSimulator({ tokens: { length: 32_768 }, tasks: [aTask({ clusters: failed('a') })] });
    try {
      expect(await aToken(long)).toHaveLength(32_768);
      const { retry } = await aCaller(long);
      expect((await retry(allFailed)).status).toBe(200);
    } finally {
      await long.close();
    }
  });

  it('take a credential to its own projects only', async () => {
    const narrow = await aSimulator({ credentials: [{ name: 'narrow', projects: ['elsewhere'], accessKey: key }] });
    try {
      const error = await failureOf(officialClient(narrow).retry('task-1', allFailed));
      expect(error.errorCode).toBe('HSS.0010');
    } finally {
      await narrow.close();
    }
  });
});
