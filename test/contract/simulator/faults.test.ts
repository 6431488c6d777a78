import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FaultEffect, FaultRule } from '../../../src/simulator/simulator.js';
import {
  aCaller,
  allFailed,
  aSimulator,
  aTask,
  failed,
  failureOf,
  officialClient,
  project,
  specific,
  type World,
} from './simulator-client.js';
import { eventually } from './eventually.js';

let simulator: World;
let caller: Awaited<ReturnType<typeof aCaller>>;

beforeEach(async () => {
  simulator = await aSimulator({
    tasks: [aTask({ clusters: failed('a', 'b', 'c', 'd') }), aTask({ taskId: 'task-2' })],
  });
  caller = await aCaller(simulator);
  simulator.controls.clearLedger();
});
afterEach(() => simulator.close());

const script = (effect: FaultEffect, rule: Omit<FaultRule, 'effect'> = {}) =>
  simulator.controls.addFaults({ ...rule, effect });
const rounds = (): number[] => simulator.controls.clusters(project, 'task-1').map((cluster) => cluster.rounds);
const last = () => simulator.controls.ledger().at(-1);
const all = [1, 1, 1, 1];
const none = [0, 0, 0, 0];

describe('answers', () => {
  it.each<[string, FaultEffect, number, string | undefined]>([
    ['a code of the gateway', { kind: 'error', status: 503, code: 'APIGW.0605' }, 503, 'APIGW.0605'],
    ['a code of HSS', { kind: 'error', status: 400, code: 'HSS.1007' }, 400, 'HSS.1007'],
    ['an old code of HSS', { kind: 'error', status: 400, code: '00000010' }, 400, '00000010'],
    ['HTML', { kind: 'error', status: 502, shape: 'html' }, 502, undefined],
    ['nothing at all', { kind: 'error', status: 504 }, 504, undefined],
    ['a contradiction', { kind: 'error', status: 200, code: 'HSS.0041' }, 200, 'HSS.0041'],
  ])('%s, and nothing is done', async (_title, effect, status, code) => {
    script(effect);
    const answer = await caller.retry(allFailed);
    expect([answer.status, answer.json?.error_code]).toEqual([status, code]);
    expect(rounds()).toEqual(none);
    expect(last()).toMatchObject({
      faults: ['fault-1'],
      clustersTaken: [],
      reply: { kind: 'answered', status, code: code ?? null },
    });
  });

  it('in the form of IAM, with other headers and text', async () => {
    script({ kind: 'error', status: 401, code: 'x', shape: 'iam', message: 'no', headers: { 'x-extra': '1' } });
    const answer = await caller.retry(allFailed);
    expect(answer.json).toEqual({ error: { code: 401, message: 'no', title: 'Unauthorized' } });
    expect(answer.headers['x-extra']).toBe('1');
  });

  it('an error although the work was done', async () => {
    script({ kind: 'error', status: 504, code: 'APIGW.0203', work: 'all' });
    expect((await caller.retry(allFailed)).status).toBe(504);
    expect(rounds()).toEqual(all);
    expect(last()?.clustersTaken).toEqual(['a', 'b', 'c', 'd']);
  });

  it('an error with half of the work done', async () => {
    script({ kind: 'error', status: 400, code: 'HSS.1006', work: 'half' });
    await caller.retry(allFailed);
    expect(rounds()).toEqual([1, 0, 1, 0]);
  });

  it('success with half of the clusters taken', async () => {
    script({ kind: 'half' });
    expect((await caller.retry(specific('a', 'b', 'c'))).status).toBe(200);
    expect(last()?.clustersTaken).toEqual(['a', 'c']);
  });

  it.each(['user', 'ip', 'api'] as const)('a storm of 429 by %s', async (policy) => {
    script({ kind: 'throttle', policy, limit: 3, windowMs: 120_000, retryAfter: '7' }, { times: 2 });
    for (let i = 0; i < 2; i += 1) {
      const answer = await caller.retry(allFailed);
      expect([answer.status, answer.headers['retry-after']]).toEqual([429, '7']);
      expect(answer.json.error_msg).toContain(`policy ${policy} over ratelimit,limit:3,time:2 minute`);
    }
    expect((await caller.retry(allFailed)).status).toBe(200);
  });

  it('a body of many bytes', async () => {
    script({ kind: 'huge_body', bytes: 3_000_000, work: 'all' });
    const answer = await caller.retry(allFailed);
    expect([answer.status, answer.text.length]).toEqual([200, 3_000_000]);
    expect(rounds()).toEqual(all);
  });

  it('an expired token, and it stays expired', async () => {
    script({ kind: 'expire_token' });
    expect((await caller.retry(allFailed)).json.error_code).toBe('APIGW.0307');
    expect((await caller.retry(allFailed)).json.error_code).toBe('APIGW.0307');
    expect((await (await aCaller(simulator)).retry(allFailed)).status).toBe(200);
  });

  it('to the official client', async () => {
    script({ kind: 'error', status: 400, code: 'HSS.0011', message: 'no such task' });
    const error = await failureOf(officialClient(simulator).retry('task-1', allFailed));
    expect(error).toMatchObject({ httpStatusCode: 400, errorCode: 'HSS.0011', errorMsg: 'no such task' });
  });
});

describe('lost answers', () => {
  it.each([
    ['none', none],
    ['all', all],
    ['half', [1, 0, 1, 0]],
  ] as const)('a reset with %s of the work done', async (work, expected) => {
    script({ kind: 'reset', work });
    expect(await failureOf(caller.retry(allFailed))).toMatchObject({ code: 'ECONNRESET' });
    expect(rounds()).toEqual(expected);
    expect(last()?.reply).toMatchObject({ kind: 'reset' });
  });

  it.each([
    ['none', none],
    ['all', all],
  ] as const)('no answer ever, with %s of the work done', async (work, expected) => {
    script({ kind: 'no_answer', work });
    const call = failureOf(caller.retry(allFailed));
    await eventually(() => last()?.reply?.kind === 'no_answer');
    expect(rounds()).toEqual(expected);
    await simulator.close();
    expect(await call).toMatchObject({ code: 'ECONNRESET' });
  });

  it('a body that never ends, with all of the work done', async () => {
    script({ kind: 'slow_body', everyMs: 5, work: 'all' });
    const call = failureOf(caller.retry(allFailed));
    await eventually(() => last()?.reply?.kind === 'answered');
    expect(rounds()).toEqual(all);
    await simulator.close();
    expect(await call).toMatchObject({ code: 'ECONNRESET' });
  });

  it.each([
    ['an empty body', () => caller.retry(allFailed)],
    ['a list', () => caller.resources()],
  ])('cut off in the middle of %s', async (_title, call) => {
    script({ kind: 'truncate', work: 'all' });
    const error = await failureOf(call());
    expect(error).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
    expect(last()?.reply).toMatchObject({ kind: 'truncated', status: 200 });
  });
});

describe('poisoned clusters', () => {
  const poison: FaultEffect = { kind: 'poison', clusterIds: ['b', 'x'] };

  it.each([
    ['a call that names one', specific('a', 'b'), 'HSS.0001'],
    ['a call for all failed ones', allFailed, 'HSS.0001'],
    ['a call without it', specific('a', 'c'), undefined],
  ])('%s', async (_title, body, code) => {
    script(poison, { times: null });
    const answer = await caller.retry(body);
    expect(answer.json?.error_code).toBe(code);
    expect(rounds()).toEqual(code === undefined ? [1, 0, 1, 0] : none);
  });

  it('are not told', async () => {
    script(poison);
    expect((await caller.retry(specific('a', 'b'))).text).not.toContain('"b"');
  });
});

describe('latency', () => {
  it('before the work: nothing is done while it lasts', async () => {
    script({ kind: 'latency', ms: 600_000 });
    void failureOf(caller.retry(allFailed));
    await eventually(() => simulator.controls.ledger().length === 1);
    expect([last()?.reply, rounds()]).toEqual([null, none]);
  });

  it('after the work: all is done and nobody knows', async () => {
    script({ kind: 'latency', ms: 600_000, when: 'after_work' });
    void failureOf(caller.retry(allFailed));
    await eventually(() => simulator.controls.ledger().length === 1);
    expect([last()?.reply, rounds()]).toEqual([null, all]);
  });

  it('adds to another effect', async () => {
    script({ kind: 'latency', ms: 1 });
    script({ kind: 'error', status: 500 });
    expect((await caller.retry(allFailed)).status).toBe(500);
    expect(last()?.faults).toEqual(['fault-1', 'fault-2']);
  });
});

describe('a rule', () => {
  const broken: FaultEffect = { kind: 'error', status: 500 };
  const outcomes = async (): Promise<number[]> => {
    const results = [];
    for (const call of [() => caller.tasks(), () => caller.retry(specific('a')), () => caller.retry(specific('b'))]) {
      results.push((await call()).status);
    }
    return results;
  };

  it.each<[string, Omit<FaultRule, 'effect'>, number[]]>([
    ['hits once, unless told otherwise', {}, [500, 200, 200]],
    ['hits as often as it says', { times: 2 }, [500, 500, 200]],
    ['hits until it is cleared', { times: null }, [500, 500, 500]],
    ['hits one operation', { operation: 'RetryTask' }, [200, 500, 200]],
    ['hits one task', { taskId: 'task-1', times: null }, [200, 500, 500]],
    ['hits one cluster', { clusterId: 'b', times: null }, [200, 200, 500]],
    ['hits one credential', { credential: 'key', times: null }, [200, 200, 200]],
    ['hits by chance: never', { probability: 0, times: null }, [200, 200, 200]],
    ['hits by chance: always', { probability: 1, times: null }, [500, 500, 500]],
  ])('%s', async (_title, rule, expected) => {
    script(broken, rule);
    expect(await outcomes()).toEqual(expected);
  });

  it('gives way to the one before it', async () => {
    script({ kind: 'error', status: 501 });
    script({ kind: 'error', status: 502 });
    expect(await outcomes()).toEqual([501, 502, 200]);
  });

  it('can be cleared by its id', async () => {
    script(broken, { id: 'mine', times: null });
    script({ kind: 'error', status: 502 }, { times: null });
    simulator.controls.clearFaults('mine');
    expect(await outcomes()).toEqual([502, 502, 502]);
  });

  it('hits by the same chance in every run', async () => {
    const run = async (): Promise<boolean[]> => {
      const world = await aSimulator({
        faults: [{ times: null, probability: 0.5, operation: 'ListTasks', effect: broken }],
      });
      const { tasks } = await aCaller(world);
      const hits = [];
      for (let i = 0; i < 20; i += 1) hits.push((await tasks()).status === 500);
      await world.close();
      return hits;
    };
    const first = await run();
    expect(new Set(first)).toEqual(new Set([true, false]));
    expect(await run()).toEqual(first);
  });

  it('does not hit what the gateway refused before', async () => {
    script(broken, { operation: 'RetryTask' });
    await caller.call('PUT', `/v5/${project}/common/tasks/task-1/retry`, allFailed, { 'x-auth-token': 'wrong' });
    expect(simulator.controls.faults()).toHaveLength(1);
  });
});
