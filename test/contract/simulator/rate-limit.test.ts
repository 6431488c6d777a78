import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { limitsOff, RateLimits, SlidingLog, throttleText } from '../../../src/simulator/rate-limit.js';
import { aCaller, allFailed, aSimulator, aTask, officialClient, failureOf, type World } from './simulator-client.js';

const limit = { calls: 5, windowMs: 60_000 };

describe('the sliding log', () => {
  const passes = (times: readonly number[], of = limit): boolean[] => {
    const log = new SlidingLog();
    return times.map((time) => log.arrive(of, time) === null);
  };

  it.each<[string, number[], boolean[]]>([
    ['lets five through and refuses the sixth', [0, 1, 2, 3, 4, 5], [true, true, true, true, true, false]],
    [
      'slides: it has no fixed minutes',
      [50, 50, 50, 50, 50, 60_000, 60_050],
      [true, true, true, true, true, false, true],
    ],
    ['counts what it refused', [0, 0, 0, 0, 0, 59_999, 60_000], [true, true, true, true, true, false, true]],
  ])('%s', (_title, times, expected) => {
    expect(passes(times)).toEqual(expected);
  });

  it('never lets one through that is hammering', () => {
    const times = Array.from({ length: 1_000 }, (_, i) => i * 1_000);
    expect(passes(times).filter(Boolean)).toHaveLength(5);
  });

  it('refuses exactly what has more than the limit in its window, refused calls included', () => {
    const arrivals = fc.array(fc.nat(200)).map((times) => times.sort((a, b) => a - b));
    fc.assert(
      fc.property(
        arrivals,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 50 }),
        (times, calls, windowMs) => {
          const expected = times.map(
            (now, i) => times.slice(0, i + 1).filter((time) => now - time < windowMs).length <= calls,
          );
          expect(passes(times, { calls, windowMs })).toEqual(expected);
        },
      ),
    );
  });

  it('says how long to wait', () => {
    const log = new SlidingLog();
    for (const time of [0, 10, 20, 30, 40]) log.arrive(limit, time);
    expect(log.arrive(limit, 50)).toBe(60_010 - 50);
  });
});

describe('limits', () => {
  it('belong to a credential and an operation', () => {
    const limits = new RateLimits({ ...limitsOff, user: { calls: 1, windowMs: 1_000 } });
    expect(limits.arrive('RetryTask', 'a', 'ip', 0)).toBeNull();
    expect(limits.arrive('ListTasks', 'a', 'ip', 0)).toBeNull();
    expect(limits.arrive('RetryTask', 'b', 'ip', 0)).toBeNull();
    expect(limits.arrive('RetryTask', 'a', 'ip', 0)).toMatchObject({ policy: 'user' });
  });

  it('can be shared by an address or by all', () => {
    const one = { calls: 1, windowMs: 1_000 };
    const byIp = new RateLimits({ ...limitsOff, ip: one });
    byIp.arrive('RetryTask', 'a', 'ip-1', 0);
    expect(byIp.arrive('RetryTask', 'b', 'ip-1', 0)).toMatchObject({ policy: 'ip' });
    expect(byIp.arrive('RetryTask', 'b', 'ip-2', 0)).toBeNull();

    const byApi = new RateLimits({ ...limitsOff, api: one });
    byApi.arrive('RetryTask', 'a', 'ip-1', 0);
    expect(byApi.arrive('RetryTask', 'b', 'ip-2', 0)).toMatchObject({ policy: 'api' });
  });

  it('can differ for one operation', () => {
    const limits = new RateLimits({ ...limitsOff, operations: { ListTasks: { user: { calls: 0, windowMs: 1_000 } } } });
    expect(limits.arrive('RetryTask', 'a', 'ip', 0)).toBeNull();
    expect(limits.arrive('ListTasks', 'a', 'ip', 0)).not.toBeNull();
  });

  it.each([
    [60_000, 'time:1 minute'],
    [120_000, 'time:2 minute'],
    [10_000, 'time:10 second'],
    [1, 'time:1 second'],
  ])('tell a window of %d ms as %s', (windowMs, expected) => {
    const text = throttleText('user', { calls: 5, windowMs });
    expect(text).toBe(`The throttling threshold has been reached: policy user over ratelimit,limit:5,${expected}`);
  });
});

describe('over HTTP', () => {
  let simulator: World;
  beforeEach(async () => {
    simulator = await aSimulator({ limits: { user: limit }, tasks: [aTask({ failedClusters: 10 })] });
  });
  afterEach(() => simulator.close());

  it('five calls a minute, credential and operation; the sixth is a 429 of the gateway', async () => {
    const { retry, tasks } = await aCaller(simulator);
    for (let i = 0; i < 5; i += 1) expect((await retry(allFailed)).status).toBe(200);

    const refused = await retry(allFailed);
    expect(refused.status).toBe(429);
    expect(refused.json).toEqual({
      error_code: 'APIGW.0308',
      error_msg: 'The throttling threshold has been reached: policy user over ratelimit,limit:5,time:1 minute',
      request_id: refused.headers['x-request-id'],
    });
    expect(refused.headers['retry-after']).toBeUndefined();
    expect((await tasks()).status).toBe(200);
    expect((await officialClient(simulator).retry('task-1', allFailed)).httpStatusCode).toBe(200);
  });

  it('the window opens again a minute after the last of five', async () => {
    const client = officialClient(simulator);
    for (let i = 0; i < 5; i += 1) await client.retry('task-1', allFailed);
    expect(await failureOf(client.retry('task-1', allFailed))).toMatchObject({
      httpStatusCode: 429,
      errorCode: 'APIGW.0308',
    });

    simulator.advance(60_000);
    expect((await client.retry('task-1', allFailed)).httpStatusCode).toBe(200);
  });

  it('can be changed at run time, and say when to come back', async () => {
    const { retry } = await aCaller(simulator);
    simulator.controls.setLimits({ user: { calls: 1, windowMs: 10_000 }, retryAfter: true });
    await retry(allFailed);

    const refused = await retry(allFailed);
    expect(refused.json.error_msg).toContain('limit:1,time:10 second');
    expect(refused.headers['retry-after']).toBe('10');
  });

  it('a call without a credential uses up nobody’s', async () => {
    const { retry, call } = await aCaller(simulator);
    for (let i = 0; i < 9; i += 1) await call('PUT', '/v5/p/common/tasks/t/retry', {}, { 'x-auth-token': 'wrong' });
    expect((await retry(allFailed)).status).toBe(200);
  });
});
