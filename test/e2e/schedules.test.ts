import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventually } from '../support/eventually.js';
import { OPERATOR_SCOPES, retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import { retryCalls } from '../support/upstream-record.js';
import type { FireTaskView, FireView, ScheduleView } from '../support/wire-types.js';

const QUICK_LISTS = { limits: { retryTask: 'unlimited', listTasks: 'unlimited', listTaskResources: 'unlimited' } };
const SCOPES = ['requests:read', 'requests:write', 'schedules:write'];
const HOUR = 3_600_000;

let rig: ServiceRig;
let team: ApiClient;
let names = 0;

beforeAll(async () => {
  rig = await ServiceRig.open({ credentials: [{ ...QUICK_LISTS, projects: ['project-1', 'project-2', 'project-3'] }] });
  await rig.start();
  team = await rig.client({ scopes: SCOPES });
});
afterAll(() => rig.close());

const body = (changed: object = {}): object => {
  names += 1;
  return {
    name: `schedule ${names}`,
    projectId: 'project-1',
    selection: { lookbackHours: 24 },
    every: '1h',
    ...changed,
  };
};
const of = ({ projectId, taskId }: RigTask, changed: object = {}): object =>
  body({ projectId, selection: { taskIds: [taskId] }, ...changed });
const ended = (id: string): Promise<FireView> =>
  eventually(
    async () => {
      const fire = await team.fire(id);
      return fire.state === 'open' ? null : fire;
    },
    { limitMs: 20_000 },
  );
const takenOf = ({ taskId }: RigTask): string[] =>
  retryCalls(rig.simulator)
    .filter((call) => call.taskId === taskId)
    .flatMap(({ clustersTaken }) => clustersTaken)
    .sort();
const tasksOf = (fireId: string): Promise<FireTaskView[]> => team.all<FireTaskView>(`/v1/fires/${fireId}/tasks`);

describe('a schedule that fires', () => {
  it('has what failed scanned again', async () => {
    const project = { projectId: 'project-2' };
    const [large, clean, small] = [rig.task(230, project), rig.task(0, project), rig.task(2, project)];
    const schedule = await team.createSchedule(body({ ...project, name: 'all of it' }));
    const { id } = await team.fireSchedule(schedule.id);
    expect(await ended(id)).toMatchObject({
      scheduleId: schedule.id,
      kind: 'manual',
      state: 'done',
      tasksSeen: 3,
      tasksTaken: 2,
      clustersTaken: 232,
    });
    const tasks = await tasksOf(id);
    expect(new Map(tasks.map(({ taskId, reason }) => [taskId, reason]))).toEqual(
      new Map([
        [large.taskId, null],
        [clean.taskId, 'no_failures'],
        [small.taskId, null],
      ]),
    );
    for (const task of [large, small]) {
      const requestId = tasks.find(({ taskId }) => taskId === task.taskId)?.requestId ?? '';
      expect(await team.untilAllAccepted(requestId)).toMatchObject({
        source: 'schedule',
        caller: 'team-a',
        labels: { schedule: 'all of it', fire: id },
        counts: { total: task.clusterIds.length },
      });
      expect(takenOf(task)).toEqual([...task.clusterIds].sort());
    }
    expect((await team.get('/v1/requests?source=schedule&projectId=project-2')).body.items).toHaveLength(2);
  });

  it('leaves out what is live already, and says so', async () => {
    const task = rig.task(3);
    const { id: requestId } = await team.submit(retryOf(task, task.clusterIds.slice(0, 1)));
    await team.untilAllAccepted(requestId);
    const schedule = await team.createSchedule(of(task));
    const { id } = await team.fireSchedule(schedule.id);
    // The first one may not be listed as failed any more.
    const fire = await ended(id);
    expect(fire.clustersTaken).toBe(2);
    const { body: page } = await team.get(`/v1/fires/${id}/clusters?limit=1`);
    expect(page.items.map(({ reason }: { reason: string }) => reason)).toEqual(Object.keys(fire.leftOut));
  });

  it('fires by itself when it is due, on time and once, with two services that look', async () => {
    const second = await rig.start({ ROLE: 'worker' });
    const task = rig.task(1, { projectId: 'project-3' });
    const schedule = await team.createSchedule(of(task, { every: '1m' }));
    await rig.advance(60_000);
    const fires = await eventually(async () => {
      const all = await team.all<FireView>(`/v1/schedules/${schedule.id}/fires`);
      return all.length > 0 ? all : null;
    });
    expect(fires).toMatchObject([{ kind: 'scheduled', dueAt: schedule.nextDueAt, missedSince: null }]);
    await ended(fires[0]!.id);
    const [{ requestId }] = (await tasksOf(fires[0]!.id)) as [FireTaskView];
    await team.untilAllAccepted(requestId ?? '');
    expect(takenOf(task)).toEqual(task.clusterIds);
    await team.send('DELETE', `/v1/schedules/${schedule.id}`);
    await second.kill();
  });

  it('is refused while its last fire, or a request of it, is open', async () => {
    const schedule = await team.createSchedule(of(rig.task(1)));
    await ended((await team.fireSchedule(schedule.id)).id);
    const { status, body: problem } = await team.post(`/v1/schedules/${schedule.id}/fire`);
    expect([status, problem.code]).toEqual([409, 'conflict']);
  });
});

describe('a schedule', () => {
  it('is shown with its defaults, and with when it is due', async () => {
    const { id, ...shown } = await team.createSchedule(body({ name: 'plain' }));
    expect(shown).toEqual({
      name: 'plain',
      projectId: 'project-1',
      enterpriseProjectId: '0',
      caller: 'team-a',
      selection: { lookbackHours: 24 },
      cron: null,
      every: '1h',
      jitter: null,
      priority: 'normal',
      maxRounds: 1,
      perCluster: null,
      minFailed: 1,
      maxClusters: 100_000,
      catchUp: 'once',
      enabled: true,
      nextDueAt: new Date(Date.parse(shown.createdAt) + HOUR).toISOString(),
      nextFireAt: shown.nextDueAt,
      lastFireId: null,
      createdAt: expect.any(String),
      updatedAt: shown.createdAt,
      deletedAt: null,
    });
    expect((await team.get(`/v1/schedules/${id}`)).body).toEqual({ id, ...shown });
  });

  it('is changed in part, and checked as a whole', async () => {
    const { id, nextDueAt } = await team.createSchedule(body({ minFailed: 5, jitter: '10m' }));
    const change = (fields: object) => team.send<ScheduleView>('PATCH', `/v1/schedules/${id}`, fields);
    const renamed = await change({ name: 'another name', minFailed: null, perCluster: { triesPerDay: 2 } });
    expect([renamed.status, renamed.body]).toMatchObject([
      200,
      { name: 'another name', minFailed: 1, every: '1h', perCluster: { triesPerDay: 2 }, nextDueAt },
    ]);
    const cron = { expression: '0 3 * * *', timezone: 'Europe/Berlin' };
    expect((await change({ cron })).body).toMatchObject({ cron, every: null, jitter: '10m' });
    expect((await change({ every: '5m' })).body).toMatchObject({ errors: [{ path: 'jitter' }] });
    expect((await change({ every: '5m', jitter: null })).body).toMatchObject({ cron: null, every: '5m', jitter: null });
    expect((await change({ every: null })).status).toBe(400);
    expect((await change({ name: null })).body).toMatchObject({ errors: [{ path: 'name' }] });
    expect((await change({ projectId: 'project-2' })).status).toBe(400);
    expect((await change({ enabled: false })).body).toMatchObject({ enabled: false, nextDueAt: null });
  });

  it('has a name of its own in its project, until it is deleted', async () => {
    const { id } = await team.createSchedule(body({ name: 'the one' }));
    const again = await team.post('/v1/schedules', body({ name: 'the one' }));
    expect([again.status, again.body.code]).toEqual([409, 'conflict']);
    const other = await team.createSchedule(body({ name: 'the one', projectId: 'project-2' }));
    expect((await team.send('PATCH', `/v1/schedules/${other.id}`, { name: 'the one', minFailed: 2 })).status).toBe(200);
    const second = await team.createSchedule(body({ name: 'the other' }));
    expect((await team.send('PATCH', `/v1/schedules/${second.id}`, { name: 'the one' })).status).toBe(409);
    expect((await team.send('DELETE', `/v1/schedules/${id}`)).status).toBe(204);
    await team.createSchedule(body({ name: 'the one' }));
  });

  it('is paused and resumed, as often as one likes', async () => {
    const { id, nextDueAt } = await team.createSchedule(body());
    for (let twice = 0; twice < 2; twice += 1) {
      expect((await team.post(`/v1/schedules/${id}/pause`)).body).toMatchObject({ enabled: false, nextDueAt: null });
    }
    for (let twice = 0; twice < 2; twice += 1) {
      expect((await team.post(`/v1/schedules/${id}/resume`)).body).toMatchObject({ enabled: true, nextDueAt });
    }
    const kinds = await rig.query(`SELECT kind FROM event WHERE schedule_id = $1 ORDER BY id`, [id]);
    expect(kinds.map(({ kind }) => kind)).toEqual(['schedule.created', 'schedule.paused', 'schedule.resumed']);
  });

  it('that was deleted fires no more, and its record stays', async () => {
    const schedule = await team.createSchedule(of(rig.task(1)));
    const { id: fireId } = await team.fireSchedule(schedule.id);
    await ended(fireId);
    expect((await team.send('DELETE', `/v1/schedules/${schedule.id}`)).status).toBe(204);
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/fire'],
      ['POST', '/resume'],
    ]) {
      expect((await team.send(method!, `/v1/schedules/${schedule.id}${path}`)).status).toBe(404);
    }
    expect((await team.get(`/v1/schedules/${schedule.id}`)).body).toMatchObject({
      enabled: false,
      deletedAt: expect.any(String),
    });
    expect((await team.get(`/v1/schedules/${schedule.id}/fires`)).body.items).toMatchObject([{ id: fireId }]);
    const { body: list } = await team.get('/v1/schedules?limit=200');
    expect(list.items.some(({ id }: { id: string }) => id === schedule.id)).toBe(false);
  });

  it('is listed once, page by page', async () => {
    const other = await rig.client({ scopes: SCOPES, projects: ['project-3'] });
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.push((await other.createSchedule(body({ projectId: 'project-3' }))).id);
    const seen = await other.all<ScheduleView>('/v1/schedules?limit=2');
    expect(seen.map(({ id }) => id)).toEqual(made.reverse());
  });
});

describe('a preview', () => {
  it('shows the next due times, on the clocks of their zone', async () => {
    const cron = { expression: '30 2 * * *', timezone: 'Europe/Berlin' };
    const { id, nextDueAt } = await team.createSchedule(body({ every: undefined, cron, jitter: '1h' }));
    const { body: preview } = await team.get(`/v1/schedules/${id}/preview?count=100`);
    expect(preview.timezone).toBe('Europe/Berlin');
    expect(preview.items).toHaveLength(100);
    expect(preview.items[0].dueAt).toBe(nextDueAt);
    for (const { dueAt, fireAt, localTime } of preview.items) {
      expect(localTime).toMatch(/T(02:30:00\+0[12]:00|03:00:00\+02:00)$/);
      expect(new Date(localTime).toISOString()).toBe(dueAt);
      expect(Date.parse(fireAt) - Date.parse(dueAt)).toBeLessThan(HOUR);
    }
    expect((await team.get(`/v1/schedules/${id}/preview`)).body.items).toHaveLength(10);
  });
});

describe('what is refused', () => {
  it.each<[string, object, string]>([
    ['no timing', { every: undefined }, 'cron'],
    ['two timings', { cron: { expression: '0 3 * * *', timezone: 'UTC' } }, 'cron'],
    ['less than a minute', { every: '59s' }, 'every'],
    ['a duration in words', { every: 'hourly' }, 'every'],
    ['cron with seconds', { every: undefined, cron: { expression: '0 0 3 * * *', timezone: 'UTC' } }, 'cron'],
    ['cron without a zone', { every: undefined, cron: { expression: '0 3 * * *' } }, 'cron'],
    ['a zone that is none', { every: undefined, cron: { expression: '0 3 * * *', timezone: 'Berlin' } }, 'cron'],
    ['jitter as long as the pause', { every: '10m', jitter: '10m' }, 'jitter'],
    ['no selection', { selection: undefined }, 'selection'],
    ['two selections', { selection: { taskIds: ['a'], lookbackHours: 1 } }, 'selection'],
    ['no scan task', { selection: { taskIds: [] } }, 'selection'],
    ['a scan task twice', { selection: { taskIds: ['a', 'a'] } }, 'selection'],
    ['an id that is none', { selection: { taskIds: ['..'] } }, 'selection'],
    ['a filter of another kind', { selection: { lookbackHours: 1, status: 'failed' } }, 'selection'],
    ['scan types of another kind', { selection: { lookbackHours: 1, scanTypes: ['virus'] } }, 'selection'],
    ['no hours', { selection: { lookbackHours: 0 } }, 'selection'],
    ['limits that limit nothing', { perCluster: {} }, 'perCluster'],
    ['a pause of nothing', { perCluster: { minPause: '0m' } }, 'perCluster'],
    ['no rounds', { maxRounds: 0 }, 'maxRounds'],
    ['too many clusters', { maxClusters: 100_001 }, 'maxClusters'],
    ['a name of nothing', { name: ' ' }, 'name'],
    ['a name that turns text around', { name: 'a\u202eb' }, 'name'],
    ['what is no field', { paused: true }, 'paused'],
  ])('%s', async (_title, changed, path) => {
    const { status, body: problem } = await team.post('/v1/schedules', body(changed));
    expect([status, problem.code, problem.errors?.[0].path]).toEqual([400, 'malformed', path]);
  });

  it('a project that nobody serves', async () => {
    const { status, body: problem } = await team.post('/v1/schedules', body({ projectId: 'project-9' }));
    expect([status, problem.code]).toEqual([400, 'project_not_served']);
  });

  it('a key that may not, or is another caller’s', async () => {
    const { id } = await team.createSchedule(body());
    const reader = await rig.client({ scopes: ['requests:read', 'requests:write'] });
    const other = await rig.client({ caller: 'other', scopes: SCOPES });
    const operator = await rig.client({ caller: 'ops', scopes: OPERATOR_SCOPES });
    expect((await reader.post('/v1/schedules', body())).body.code).toBe('missing_scope');
    expect((await reader.get(`/v1/schedules/${id}`)).status).toBe(200);
    expect((await reader.post(`/v1/schedules/${id}/pause`)).body.code).toBe('missing_scope');
    expect((await other.post(`/v1/schedules/${id}/pause`)).body.code).toBe('forbidden');
    expect((await other.send('DELETE', `/v1/schedules/${id}`)).body.code).toBe('forbidden');
    expect((await operator.post(`/v1/schedules/${id}/pause`)).status).toBe(200);
  });
});
