import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { aCaller, allFailed, aSimulator, aTask, failed, project, specific, type World } from './simulator-client.js';

const HOUR = 3_600_000;
let simulator: World;
let caller: Awaited<ReturnType<typeof aCaller>>;

beforeEach(async () => {
  simulator = await aSimulator({
    tasks: [
      aTask({
        taskName: 'nightly-1',
        triggerType: 'schedule',
        failedClusters: 30,
        healthyClusters: 220,
        startedAgoMs: 3 * HOUR,
      }),
      aTask({
        taskId: 'task-2',
        taskName: 'nightly-2',
        triggerType: 'schedule',
        clusters: failed('x'),
        startedAgoMs: 2 * HOUR,
      }),
      aTask({
        taskId: 'task-3',
        taskName: 'by hand',
        healthyClusters: 5,
        scanTypes: ['risk_assessment'],
        startedAgoMs: HOUR,
      }),
      aTask({ taskId: 'task-4', enterpriseProjectId: 'ep-1', clusters: failed('y'), startedAgoMs: 4 * HOUR }),
      aTask({ taskId: 'task-5', projectId: 'another', clusters: failed('z') }),
    ],
  });
  caller = await aCaller(simulator);
});
afterEach(() => simulator.close());

const ids = (json: any): string[] => json.data_list.map((row: any) => row.task_id);

describe('ListTasks', () => {
  it('tells how many clusters of a task failed, newest task first', async () => {
    const { json } = await caller.tasks();
    expect(json.total_num).toBe(3);
    expect(ids(json)).toEqual(['task-3', 'task-2', 'task-1']);
    expect(json.data_list[2]).toEqual({
      task_id: 'task-1',
      task_type: 'cluster_scan',
      task_name: 'nightly-1',
      trigger_type: 'schedule',
      task_status: 'finished',
      start_time: simulator.now() - 3 * HOUR,
      end_time: expect.any(Number),
      cluster_scan_info: {
        scan_type_list: ['cluster_vul', 'benchmark'],
        scanning_cluster_num: 0,
        success_cluster_num: 220,
        failed_cluster_num: 30,
      },
    });
  });

  it.each<[object, string[]]>([
    [{ task_id: 'task-2' }, ['task-2']],
    [{ task_name: 'nightly' }, ['task-2', 'task-1']],
    [{ trigger_type: 'manual' }, ['task-3']],
    [{ task_status: 'running' }, []],
    [{ sort_key: 'start_time', sort_dir: 'asc' }, ['task-1', 'task-2', 'task-3']],
    [{ cluster_scan_info: { scan_type_list: ['risk_assessment'] } }, ['task-3']],
  ])('filters by %j', async (filter, expected) => {
    expect(ids((await caller.tasks(filter)).json)).toEqual(expected);
  });

  it('filters by time of creation', async () => {
    const [from, to] = [simulator.now() - 2.5 * HOUR, simulator.now() - 1.5 * HOUR];
    expect(ids((await caller.tasks({ start_create_time: from, end_create_time: to })).json)).toEqual(['task-2']);
  });

  it('shows a running task with the minutes left', async () => {
    await caller.retry(allFailed);
    const { json } = await caller.tasks({ task_status: 'running' });
    expect(json.data_list).toHaveLength(1);
    expect(json.data_list[0]).toMatchObject({
      task_id: 'task-1',
      estimated_time: 1,
      cluster_scan_info: { scanning_cluster_num: 30 },
    });
    expect(json.data_list[0].end_time).toBeUndefined();
  });

  it('shows other enterprise projects when asked', async () => {
    expect(ids((await caller.tasks({}, '?enterprise_project_id=ep-1')).json)).toEqual(['task-4']);
    expect((await caller.tasks({}, '?enterprise_project_id=all_granted_eps')).json.total_num).toBe(4);
  });

  it.each(['limit=9', 'limit=201', 'limit=ten', 'limit=', 'offset=-1', 'offset=2000001', 'enterprise_project_id='])(
    'refuses %s',
    async (query) => {
      const answer = await caller.tasks({}, `?${query}`);
      expect([answer.status, answer.json.error_code]).toEqual([400, 'HSS.0001']);
    },
  );

  it.each([{ task_type: 'other' }, { task_status: 'failed' }, { sort_key: 'end_time' }, { trigger_type: 1 }])(
    'refuses %j',
    async (body) => {
      expect((await caller.tasks(body)).json.error_code).toBe('HSS.0001');
    },
  );
});

describe('ListTaskResources', () => {
  it('pages through all clusters, each once', async () => {
    const pages = await Promise.all(
      [0, 100, 200, 300].map((offset) => caller.resources({}, `?limit=100&offset=${offset}`)),
    );
    const rows = pages.flatMap(({ json }) => json.cluster_scan_data_list);
    expect(pages.map(({ json }) => json.total_num)).toEqual([250, 250, 250, 250]);
    expect(new Set(rows.map((row: any) => row.cluster_id)).size).toBe(250);
    expect((await caller.resources({}, '')).json.cluster_scan_data_list).toHaveLength(10);
  });

  it('finds the failed ones, with reasons', async () => {
    const { json } = await caller.resources({ scan_status: 'failed' });
    expect(json.total_num).toBe(30);
    for (const row of json.cluster_scan_data_list) {
      const reasons = row.scan_detail_list
        .filter((item: any) => item.status === 'failed')
        .map((item: any) => item.failed_reason);
      expect(reasons.length).toBeGreaterThan(0);
      expect(reasons).not.toContain(undefined);
    }
  });

  it('finds one by id, name and type', async () => {
    const [row] = (await caller.resources()).json.cluster_scan_data_list;
    const { cluster_id, cluster_name, cluster_type } = row;
    expect((await caller.resources({ cluster_id })).json.cluster_scan_data_list).toEqual([row]);
    expect((await caller.resources({ cluster_id: 'none' })).json.total_num).toBe(0);
    expect((await caller.resources({ cluster_name, cluster_type })).json.cluster_scan_data_list).toContainEqual(row);
  });

  it('follows a rescan', async () => {
    await caller.retry(specific('x'), 'task-2');
    const scanning = (await caller.resources({}, '', 'task-2')).json.cluster_scan_data_list[0];
    expect(scanning).toMatchObject({ scan_status: 'scanning', start_time: simulator.now() });
    expect(scanning.end_time).toBeUndefined();

    simulator.advance(5_000);
    const done = (await caller.resources({}, '', 'task-2')).json.cluster_scan_data_list[0];
    expect(done).toMatchObject({ scan_status: 'success', end_time: scanning.start_time + 1_000 });
  });

  it('does not know other tasks', async () => {
    expect((await caller.resources({}, '', 'no-task')).json.error_code).toBe('HSS.0011');
    expect((await caller.resources({}, '', 'task-4')).json.error_code).toBe('HSS.0013');
  });

  it.each([{ scan_status: 'ready' }, { cluster_type: 'gke' }, { cluster_id: 'x'.repeat(65) }])(
    'refuses %j',
    async (info) => {
      expect((await caller.resources(info)).json.error_code).toBe('HSS.0001');
    },
  );
});

describe('ShowTaskStatistics', () => {
  const path = `/v5/${project}/common/task-statistics`;

  it('counts tasks', async () => {
    await caller.retry(allFailed);
    const { json } = await caller.call('GET', `${path}?task_type=cluster_scan`);
    expect(json).toEqual({ total_num: 3, running_num: 1, last_task_start_time: simulator.now() });
  });

  it('needs a task type', async () => {
    expect((await caller.call('GET', path)).json.error_code).toBe('HSS.0001');
  });
});

describe('CreateTask', () => {
  const create = (info: object) =>
    caller.call('POST', `/v5/${project}/common/task`, { task_type: 'cluster_scan', cluster_scan_info: info });

  it('scans clusters that the project has', async () => {
    const { json } = await create({
      range_type: 'specific_cluster',
      cluster_id_list: ['x'],
      scan_type_list: ['benchmark'],
    });
    const scanning = (await caller.resources({}, '', json.task_id)).json;
    expect(scanning).toMatchObject({
      total_num: 1,
      cluster_scan_data_list: [{ cluster_id: 'x', scan_status: 'scanning' }],
    });

    simulator.advance(1_000);
    expect((await caller.tasks({ task_id: json.task_id })).json.data_list[0]).toMatchObject({
      task_status: 'finished',
    });
  });

  it('scans all of them', async () => {
    const { json } = await create({ range_type: 'all_cluster' });
    expect((await caller.resources({}, '', json.task_id)).json.total_num).toBe(256);
  });

  it.each([
    [{ range_type: 'specific_cluster', cluster_id_list: ['nowhere'] }, 'HSS.0011'],
    [{ range_type: 'specific_cluster' }, 'HSS.0001'],
    [{ range_type: 'all_failed_cluster' }, 'HSS.0001'],
  ])('refuses %j', async (info, code) => {
    expect((await create(info)).json.error_code).toBe(code);
  });
});

it.each([
  ['GET', `/v5/${project}/common/tasks/task-1`],
  ['GET', `/v5/${project}/common/tasks/batch-query`],
  ['POST', `/v5/${project}/common/tasks/task-1/retry`],
  ['PUT', `/v5/${project}/common/tasks/task-1/retry/`],
  ['GET', '/'],
])('there is no %s %s', async (method, path) => {
  const answer = await caller.call(method, path);
  expect([answer.status, answer.json.error_code]).toEqual([404, 'APIGW.0101']);
});
