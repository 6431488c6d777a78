import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startSimulator, type FaultEffect, type LedgerEntry } from '../../src/simulator/simulator.js';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { retryOf, ServiceRig, simulatorKey, type RigTask } from '../support/service-rig.js';
import { clustersIn, retryCalls, timesSent } from '../support/upstream-record.js';
import type { CallView } from '../support/wire-types.js';

const HOUR = 3_600_000;
const MAX_ATTEMPTS = 3;

let rig: ServiceRig;
let team: ApiClient;
/** Nobody listens there at first. */
let awayPort: number;

beforeAll(async () => {
  awayPort = await freePort();
  rig = await ServiceRig.open({
    credentials: [
      { projects: ['project-1'], timeoutMs: 1_000 },
      { name: 'away', projects: ['project-away'], hssUrl: `http://127.0.0.1:${awayPort}` },
    ],
    env: { BREAKER_FAILURES: '100', RETRY_MAX_ATTEMPTS: String(MAX_ATTEMPTS) },
  });
  await rig.start();
  team = await rig.client();
});

afterAll(() => rig.close());

const callsFor = ({ taskId }: RigTask): LedgerEntry[] =>
  retryCalls(rig.simulator).filter((call) => call.taskId === taskId);

/** A request whose first calls go wrong in this way. */
async function submitWith(effect: FaultEffect, times = 1, clusters = 3): Promise<{ id: string; task: RigTask }> {
  const task = rig.task(clusters);
  rig.simulator.controls.addFaults({ taskId: task.taskId, times, effect });
  return { id: (await team.submit(retryOf(task))).id, task };
}

const callsOf = async (id: string): Promise<CallView[]> => (await team.calls(id)).reverse();
const statesOf = async (id: string): Promise<string[]> => (await callsOf(id)).map(({ state }) => state);

describe('an answer that says that nothing was done', () => {
  it('429: the lane pauses for the window that it names, no attempt is spent, and the targets go out later', async () => {
    const windowMs = 1_000;
    const { id, task } = await submitWith({ kind: 'throttle', limit: 5, windowMs }, 3);
    await team.untilAllAccepted(id, { limitMs: 20_000 });

    expect(await statesOf(id)).toEqual(['throttled', 'throttled', 'throttled', 'accepted']);
    expect((await callsOf(id))[0]).toMatchObject({
      httpStatus: 429,
      errorCode: 'APIGW.0308',
      errorText: expect.stringContaining('policy user over ratelimit'),
      decision: { lane: { kind: 'pause', scope: 'user' } },
    });
    const arrivals = callsFor(task).map(({ at }) => at);
    const gaps = arrivals.slice(1).map((at, index) => at - arrivals[index]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(windowMs);
    expect((await team.targets(id)).map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
  });

  it.each(['APIGW.0605', 'APIGW.0610', 'APIG.0613'])(
    '%s at a 5xx: it is sent again, and no attempt is spent',
    async (code) => {
      const { id, task } = await submitWith({ kind: 'error', status: 502, code }, 2);
      await team.untilAllAccepted(id);
      expect(await statesOf(id)).toEqual(['unavailable', 'unavailable', 'accepted']);
      expect(callsFor(task).map(clustersIn)).toEqual(Array(3).fill(task.clusterIds));
      expect((await team.targets(id)).map(({ attempts }) => attempts)).toEqual([0, 0, 0]);
    },
  );

  it('of the one cluster that a call names: each costs an attempt, until they are used up', async () => {
    const { id, task } = await submitWith(
      { kind: 'error', status: 400, code: 'HSS.1004', shape: 'hss' },
      MAX_ATTEMPTS,
      1,
    );
    const ended = await team.until(id, ({ state }) => state === 'finished');
    expect(ended.counts).toMatchObject({ total: 1, exhausted: 1 });
    expect((await team.targets(id))[0]).toMatchObject({ attempts: MAX_ATTEMPTS, reason: { code: 'exhausted' } });
    expect(callsFor(task)).toHaveLength(MAX_ATTEMPTS);
  });
});

describe('an upstream that is away', () => {
  it('is tried again, at no attempt and no slot, until it is back', async () => {
    const projectId = 'project-away';
    const { id } = await team.submit(retryOf({ projectId, taskId: 'task-away', clusterIds: ['c-1'] }));
    await eventuallyHolds(async () => expect((await callsOf(id)).length).toBeGreaterThanOrEqual(2));
    expect((await callsOf(id))[0]).toMatchObject({
      lane: 'away.retryTask',
      state: 'not_sent',
      errorCode: 'ECONNREFUSED',
    });
    expect((await team.lane('away.retryTask')).slotsInUse).toBe(0);

    const back = await startSimulator({
      port: awayPort,
      scenario: {
        credentials: [{ name: 'main', projects: '*', accessKey: simulatorKey }],
        tasks: [{ projectId, taskId: 'task-away', clusters: [{ clusterId: 'c-1' }] }],
      },
    });
    await team.untilAllAccepted(id);
    await back.close();
    expect((await team.targets(id))[0]).toMatchObject({ attempts: 0 });
    expect(new Set(await statesOf(id))).toEqual(new Set(['not_sent', 'accepted']));
  });
});

describe('an outcome that nobody can tell', () => {
  // Nor do its lists: on a slow machine they would be read, and then some would be sent again when six hours have passed.
  beforeAll(() => {
    for (const operation of ['ListTasks', 'ListTaskResources'] as const) {
      rig.simulator.controls.addFaults({ operation, times: null, effect: { kind: 'error', status: 500, code: '' } });
    }
  });

  it.each<[string, FaultEffect, Partial<CallView>]>([
    ['a time-out after the work was done', { kind: 'no_answer', work: 'all' }, { httpStatus: null }],
    ['a time-out before it', { kind: 'no_answer', work: 'none' }, { httpStatus: null }],
    ['a reset after the work was done', { kind: 'reset', work: 'all' }, { httpStatus: null }],
    ['a reset before it', { kind: 'reset', work: 'none' }, { httpStatus: null }],
    ['half an answer', { kind: 'truncate', work: 'all' }, { httpStatus: 200 }],
    ['a 500 after half of the work', { kind: 'error', status: 500, code: '', work: 'half' }, { httpStatus: 500 }],
    ['a 504 from a gateway', { kind: 'error', status: 504, code: 'APIGW.0201', work: 'all' }, { httpStatus: 504 }],
    ['an agent error on several clusters', { kind: 'error', status: 400, code: 'HSS.1004' }, { errorCode: 'HSS.1004' }],
  ])('%s: the targets are held, and are not sent again', async (_what, effect, evidence) => {
    const { id, task } = await submitWith(effect);
    await team.until(id, ({ counts }) => counts.unknown === 3);
    expect(await callsOf(id)).toEqual([expect.objectContaining({ state: 'unknown', clusterCount: 3, ...evidence })]);
    expect((await team.targets(id))[0]).toMatchObject({
      state: 'unknown',
      result: null,
      attempts: 0,
      waitingFor: null,
    });

    // Neither on their own nor because somebody else wants them, although the lane goes on with others.
    const late = await team.submit(retryOf(task));
    const other = await team.submit(retryOf(rig.task(1)));
    await team.untilAllAccepted(other.id);
    await eventuallyHolds(async () => {
      const waitingFor = (await team.targets(late.id)).map((target) => target.waitingFor);
      expect(waitingFor).toEqual(Array(3).fill('live_cluster'));
    });
    expect(callsFor(task)).toHaveLength(1);
  });

  it('is shown on its lane, and never sent anything twice', async () => {
    const operator = await rig.operator();
    expect((await operator.lane()).unknownCalls).toBe(8);
    const unknown = (
      await rig.query<{ id: string }>(
        "SELECT DISTINCT task_id AS id FROM call JOIN scan_task AS s ON s.id = scan_task_id WHERE call.state = 'unknown'",
      )
    ).map(({ id }) => id);
    const sent = timesSent(retryCalls(rig.simulator).filter(({ taskId }) => unknown.includes(taskId ?? '')));
    expect(new Set(sent.values())).toEqual(new Set([1]));
  });

  it('ends as unverified when the time for a verdict is over', async () => {
    await rig.advance(6 * HOUR + 1_000);
    await eventuallyHolds(async () => {
      expect(await rig.query('SELECT 1 FROM live_cluster')).toEqual([]);
      const open = await rig.query("SELECT id FROM request WHERE state = 'open'");
      expect(open).toEqual([]);
    });
    expect((await (await rig.operator()).lane()).unknownCalls).toBe(0);
  });
});
