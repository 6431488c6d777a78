import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { aFiredSchedule, OPERATOR_SCOPES, retryOf, ServiceRig } from '../support/service-rig.js';
import type { PageView } from '../support/wire-types.js';

/** Everything that one project has, with an id. */
interface Belongings {
  readonly projectId: string;
  readonly taskId: string;
  readonly clusterId: string;
  readonly requestId: string;
  /** Of its last call. */
  readonly callId: string;
  /** Of its first call, which the upstream answered with a text. */
  readonly refusedId: string;
  readonly textHash: string;
  readonly laneId: string;
  readonly scheduleId: string;
  readonly fireId: string;
}

type Method = 'get' | 'post' | 'patch' | 'put' | 'delete';

let rig: ServiceRig;
let ours: ApiClient;
let mine: Belongings;
let foreign: Belongings;
let paths: readonly (readonly [method: Method, path: string])[];

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [{ projects: ['project-1'] }, { name: 'other', projects: ['project-2'] }],
  });
  await rig.start();
  // Every scope: what keeps it out is the project alone.
  ours = await rig.client({ projects: ['project-1'], scopes: OPERATOR_SCOPES });
  [mine, foreign] = await Promise.all([belongingsOf('project-1', 'main'), belongingsOf('project-2', 'other')]);
  const { body } = await ours.get('/openapi.json');
  paths = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method as Method, path] as const),
  );
});

afterAll(() => rig.close());

async function belongingsOf(projectId: string, credential: string): Promise<Belongings> {
  const owner = await rig.client({ caller: `owner-of-${projectId}`, projects: [projectId], scopes: OPERATOR_SCOPES });
  const { taskId, clusterIds } = rig.task(2, { projectId });
  const effect = { kind: 'error', status: 502, code: 'APIGW.0605', message: `no way to ${projectId}` } as const;
  rig.simulator.controls.addFaults({ taskId, effect });
  const { id: requestId } = await owner.submit({
    ...retryOf({ projectId, taskId, clusterIds }),
    labels: { of: projectId },
  });
  await owner.untilAllAccepted(requestId);
  const [callId = '', refusedId = ''] = (await owner.calls(requestId)).map(({ id }) => id);
  const [text] = await rig.query<{ hash: string }>(
    `SELECT DISTINCT encode(text_hash, 'hex') AS hash FROM event WHERE project_id = $1 AND text_hash IS NOT NULL`,
    [projectId],
  );
  const textHash = text?.hash ?? '';
  const { schedules: scheduleId, fires: fireId } = await aFiredSchedule(owner, rig.task(0, { projectId }));
  const laneId = `${credential}.retryTask`;
  const clusterId = clusterIds[0] ?? '';
  return { projectId, taskId, clusterId, requestId, callId, refusedId, textHash, laneId, scheduleId, fireId };
}

function withId(path: string, of: Belongings): string {
  const { requestId: requests, callId: calls, laneId: lanes, projectId: projects, scheduleId: schedules } = of;
  const clusters = `${of.clusterId}?projectId=${of.projectId}`;
  const ids = new Map(Object.entries({ requests, calls, lanes, projects, clusters, schedules }));
  ids.set('fires', of.fireId).set('texts', of.textHash);
  return path.replace(/(\w+)\/\{\w+\}/g, (_, kind: string) => {
    const id = ids.get(kind);
    // Anything else would be not found as well, and show nothing.
    if (!id) throw new Error(`no id is known for ${path}`);
    return `${kind}/${id}`;
  });
}

const send = (method: Method, path: string) =>
  ours.send(method.toUpperCase(), path, /get|delete/.test(method) ? undefined : bodyFor(path), {
    'idempotency-key': 'k',
  });

const bodyFor = (path: string): object | undefined => {
  if (path.endsWith('/replay')) return {};
  if (path.endsWith('/redact')) return { reason: 'a name in it' };
  if (/^\/v1\/schedules\/[^/]+$/.test(path)) return { minFailed: 2 };
  if (/^\/v1\/(projects|lanes\/[^/]+$)/.test(path)) return { paused: true };
  return path.endsWith('/resolve') ? { as: 'accepted', reason: 'seen in the console' } : undefined;
};

describe('what belongs to another project', () => {
  it('is not found on any route that takes an id, and looks like what never was', async () => {
    const taking = paths.filter(([, path]) => /\{\w+\}/.test(path));
    expect(taking.length).toBeGreaterThanOrEqual(20);
    const nobodys = {
      ...mine,
      requestId: foreign.callId,
      callId: foreign.requestId,
      laneId: 'none.retryTask',
      projectId: 'nobodys',
      scheduleId: foreign.callId,
      fireId: foreign.callId,
      textHash: '0'.repeat(64),
    };
    for (const [method, path] of taking) {
      const there = await send(method, withId(path, foreign));
      const nowhere = await send(method, withId(path, nobodys));
      const { instance: _own, ...problem } = there.body;
      expect([method, path, there.status, problem.code]).toEqual([method, path, 404, 'not_found']);
      expect(nowhere.body).toMatchObject(problem);
    }
  });

  it('was not changed by that', async () => {
    const owner = await rig.client({ caller: 'owner-of-project-2', projects: ['project-2'] });
    expect(await owner.request(foreign.requestId)).toMatchObject({ state: 'open', counts: { accepted: 2 } });
    expect(await owner.lane(foreign.laneId)).toMatchObject({ blockedBy: null });
    const { body: schedule } = await owner.get(`/v1/schedules/${foreign.scheduleId}`);
    expect(schedule).toMatchObject({ minFailed: 1, enabled: false, deletedAt: null, lastFireId: foreign.fireId });
    const texts = "SELECT text FROM event_text WHERE encode(hash, 'hex') = $1 AND redacted_at IS NULL";
    expect(await rig.query(texts, [foreign.textHash])).toEqual([{ text: 'no way to project-2' }]);
  });

  it('is not found either where its project stands in the query', async () => {
    for (const path of ['/v1/audit/summary?groupBy=state&', '/v1/audit/heads?', '/v1/retry-outcomes?']) {
      const of = (projectId: string) => ours.get(`${path}projectId=${projectId}`);
      const { instance: _own, ...problem } = (await of(foreign.projectId)).body;
      expect([path, problem.status, problem.code]).toEqual([path, 404, 'not_found']);
      expect((await of('nobodys')).body).toMatchObject(problem);
      expect((await of(mine.projectId)).status).toBe(200);
    }
  });

  it('is in no list, whatever is asked for', async () => {
    const idsIn = async (path: string) =>
      (await ours.get<PageView<{ id: string }>>(path)).body.items.map(({ id }) => id);
    const { projectId, taskId, clusterId } = foreign;

    expect(await idsIn('/v1/requests')).toEqual([mine.requestId]);
    expect(await idsIn('/v1/calls')).toEqual([mine.callId, mine.refusedId]);
    expect(await idsIn('/v1/schedules')).toEqual([mine.scheduleId]);
    expect(await idsIn(`/v1/schedules?projectId=${foreign.projectId}`)).toEqual([]);
    const [credential] = mine.laneId.split('.');
    expect((await idsIn('/v1/lanes')).every((id) => id.startsWith(`${credential}.`))).toBe(true);
    for (const filter of [`projectId=${projectId}`, `taskId=${taskId}`]) {
      expect(await idsIn(`/v1/requests?${filter}`)).toEqual([]);
      expect(await idsIn(`/v1/calls?${filter}`)).toEqual([]);
    }
    expect(await idsIn(`/v1/calls?clusterId=${clusterId}`)).toEqual([]);
    for (const filter of ['caller=owner-of-project-2', 'label=of:project-2', 'credential=other']) {
      expect(await idsIn(`/v1/calls?${filter}`)).toEqual([]);
    }
    const events = await ours.all<{ projectId: string }>('/v1/audit/events');
    expect(new Set(events.map((event) => event.projectId))).toEqual(new Set([mine.projectId]));
    const { requestId, callId, laneId, scheduleId } = foreign;
    for (const [field, value] of Object.entries({ projectId, requestId, callId, laneId, scheduleId })) {
      expect(await idsIn(`/v1/audit/events?${field}=${value}`)).toEqual([]);
    }
    expect(await idsIn('/v1/audit/events?actor=owner-of-project-2')).toEqual([]);
  });

  it('cannot be asked to be retried', async () => {
    const { status, body } = await ours.trySubmit(retryOf({ ...foreign, clusterIds: [foreign.clusterId] }));
    expect([status, body.code]).toEqual([404, 'not_found']);
    const schedule = { name: 'n', projectId: foreign.projectId, selection: { lookbackHours: 1 }, every: '1h' };
    const answer = await ours.post('/v1/schedules', schedule);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });

  it('is its own to take out of the record', async () => {
    const owner = await rig.client({ projects: ['project-2'], scopes: OPERATOR_SCOPES });
    const redact = `/v1/audit/texts/${foreign.textHash}/redact`;
    expect((await owner.post(redact, bodyFor(redact))).status).toBe(204);
  });
});
