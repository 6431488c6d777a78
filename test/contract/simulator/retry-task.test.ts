import { afterEach, describe, expect, it } from '@jest/globals';
import type { Behaviour, ScenarioInput, TaskSpec } from '../../../src/simulator/simulator.js';
import { aCaller, allFailed, aSimulator, aTask, failed, project, specific, type World } from './simulator-client.js';

let simulator: World;
afterEach(() => simulator.close());

async function caller(spec: TaskSpec, scenario: ScenarioInput = {}) {
  simulator = await aSimulator({ ...scenario, tasks: [aTask(spec)] });
  return aCaller(simulator);
}

const rounds = (): number[] => simulator.controls.clusters(project, 'task-1').map((cluster) => cluster.rounds);
const statuses = (): string[] => simulator.controls.clusters(project, 'task-1').map((cluster) => cluster.status);
const taken = () => simulator.controls.ledger({ operation: 'RetryTask' }).map((entry) => entry.clustersTaken);

describe('an accepted call', () => {
  it('answers 200 without a body, and scans afterwards', async () => {
    const { retry } = await caller({ clusters: failed('a', 'b') });
    const answer = await retry(specific('a'));

    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers['x-request-id']).toBeDefined();
    expect(statuses()).toEqual(['scanning', 'failed']);
    simulator.advance(1_000);
    expect(statuses()).toEqual(['success', 'failed']);
    expect(taken()).toEqual([['a']]);
  });

  it('takes all failed clusters and no others', async () => {
    const { retry } = await caller({ failedClusters: 450, healthyClusters: 1_000 });
    await retry(allFailed);
    expect(taken()[0]).toHaveLength(450);
    expect(simulator.controls.tasks()[0]).toMatchObject({
      status: 'running',
      counts: { scanning: 450, failed: 0, success: 1_000 },
    });
  });

  it('scans the failed items only, or of those the wanted ones', async () => {
    const clusters = [
      { clusterId: 'a', failedScanTypes: ['benchmark' as const] },
      { clusterId: 'b', reason: 'agent offline' },
    ];
    const { retry } = await caller({ clusters });
    const body = specific('a', 'b');
    Object.assign(body.cluster_scan_info.cluster_info_list[1] ?? {}, { scan_type_list: ['cluster_vul'] });
    await retry(body);

    const items = simulator.controls
      .clusters(project, 'task-1')
      .map((cluster) => cluster.items.map((item) => item.status));
    expect(items).toEqual([
      ['success', 'scanning'],
      ['scanning', 'failed'],
    ]);
    simulator.advance(1_000);
    expect(statuses()).toEqual(['success', 'failed']);
  });

  it('takes a cluster that is named twice once', async () => {
    const { retry } = await caller({ clusters: failed('a') });
    await retry(specific('a', 'a'));
    expect(taken()).toEqual([['a']]);
  });

  it('lets scans fail again and get stuck, as planned', async () => {
    const clusters = [
      { clusterId: 'a', next: ['failed' as const, 'success' as const], reason: 'first' },
      { clusterId: 'b', next: ['stuck' as const] },
    ];
    const { retry, resources } = await caller({ clusters, scans: { reasons: ['again'] } });
    await retry(allFailed);
    simulator.advance(10_000_000);

    const { json } = await resources({ cluster_id: 'a' });
    expect(json.cluster_scan_data_list[0]).toMatchObject({
      scan_status: 'failed',
      scan_detail_list: [
        { scan_type: 'cluster_vul', status: 'failed', failed_reason: 'again' },
        { scan_type: 'benchmark', status: 'failed', failed_reason: 'again' },
      ],
    });
    expect(statuses()).toEqual(['failed', 'scanning']);
    await retry(allFailed);
    simulator.advance(1_000);
    expect(statuses()).toEqual(['success', 'scanning']);
  });

  it('shows the old failure for a while, if it is told to', async () => {
    const { retry } = await caller({ clusters: failed('a'), scans: { visibleAfterMs: 500 } });
    await retry(allFailed);
    expect(statuses()).toEqual(['failed']);
    simulator.advance(500);
    expect(statuses()).toEqual(['scanning']);
    simulator.advance(1_000);
    expect(statuses()).toEqual(['success']);
  });

  it('ends the same way in every run with the same seed', async () => {
    const ends = async (): Promise<unknown> => {
      const { retry } = await caller(
        { failedClusters: 50 },
        { scans: { minMs: 0, maxMs: 100, successRate: 0.5, stuckRate: 0.1 } },
      );
      await retry(allFailed);
      simulator.advance(50);
      const first = statuses();
      await simulator.close();
      return first;
    };
    const first = await ends();
    expect(new Set(first as string[])).toEqual(new Set(['success', 'failed', 'scanning']));
    expect(await ends()).toEqual(first);
  });
});

describe('a malformed call is refused as a whole', () => {
  const info = (cluster_scan_info: unknown) => ({ task_type: 'cluster_scan', cluster_scan_info });
  const listed = (list: unknown) => info({ range_type: 'specific_cluster', cluster_info_list: list });
  const many = Array.from({ length: 201 }, (_, i) => `c${i}`);

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'HSS.0002'],
    ['no object', '[]', 'HSS.0001'],
    ['no task type', {}, 'HSS.0001'],
    ['another task type', { ...allFailed, task_type: 'iac_scan' }, 'HSS.0001'],
    ['no range', info({}), 'HSS.0001'],
    ['no scan info', { task_type: 'cluster_scan' }, 'HSS.0001'],
    ['an unknown range', info({ range_type: 'all_cluster' }), 'HSS.0001'],
    ['no list', info({ range_type: 'specific_cluster' }), 'HSS.0001'],
    ['an empty list', listed([]), 'HSS.0001'],
    ['201 clusters', specific(...many), 'HSS.0001'],
    ['an empty cluster id', specific('a', ''), 'HSS.0001'],
    ['a cluster id of 65 characters', specific('x'.repeat(65)), 'HSS.0001'],
    ['a number as cluster id', listed([{ cluster_id: 1 }]), 'HSS.0001'],
    ['no scan types', listed([{ cluster_id: 'a', scan_type_list: [] }]), 'HSS.0001'],
    ['an unknown scan type', listed([{ cluster_id: 'a', scan_type_list: ['malware'] }]), 'HSS.0001'],
    ['four scan types', listed([{ cluster_id: 'a', scan_type_list: Array(4).fill('benchmark') }]), 'HSS.0001'],
  ])('%s', async (_title, body, code) => {
    const { retry } = await caller({ clusters: failed('a') });
    const answer = await retry(body);

    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({
      error_code: code,
      error_msg: expect.any(String),
      error_description: expect.any(String),
    });
    expect(rounds()).toEqual([0]);
  });

  it('a body that does not say that it is JSON', async () => {
    const { call } = await caller({ clusters: failed('a') });
    const answer = await call('PUT', `/v5/${project}/common/tasks/task-1/retry`, allFailed, {
      'content-type': 'text/plain',
    });
    expect(answer.json.error_code).toBe('HSS.0002');
  });

  it.each(['x'.repeat(65), '%2e%2e', 'a%20b', '%00'])('a task id %s', async (taskId) => {
    const { retry } = await caller({ clusters: failed('a') });
    expect((await retry(allFailed, taskId)).json.error_code).toBe('HSS.0001');
  });

  it('an enterprise project of 257 characters', async () => {
    const { retry } = await caller({ clusters: failed('a') });
    expect((await retry(allFailed, 'task-1', `?enterprise_project_id=${'x'.repeat(257)}`)).json.error_code).toBe(
      'HSS.0001',
    );
  });
});

it('a path is not folded before it is matched', async () => {
  const { call } = await caller({ clusters: failed('a') });
  const answer = await call('PUT', `/v5/other/../${project}/common/tasks/task-1/retry`, allFailed);
  expect([answer.status, answer.json.error_code]).toEqual([404, 'APIGW.0101']);
});

it('an escaped id is one segment', async () => {
  const { retry } = await caller({ taskId: 'a/b:c', clusters: failed('a') });
  expect((await retry(allFailed, 'a%2Fb:c')).status).toBe(200);
});

describe('enterprise projects', () => {
  it.each([
    ['', 400],
    ['?enterprise_project_id=ep-2', 400],
    ['?enterprise_project_id=ep-1', 200],
    ['?enterprise_project_id=all_granted_eps', 200],
  ])('a task of ep-1 is asked for with %j: %d', async (query, status) => {
    const { retry } = await caller({ enterpriseProjectId: 'ep-1', clusters: failed('a') });
    const answer = await retry(allFailed, 'task-1', query);
    expect(answer.status).toBe(status);
    if (status === 400) expect(answer.json.error_code).toBe('HSS.0013');
  });
});

describe('what no source says is a switch', () => {
  const refusal = { status: 400, code: 'HSS.1999' };
  const accepted = [200, undefined];
  const healthy = { clusterId: 'healthy', status: 'success' as const };

  it.each<[string, Partial<Behaviour>, unknown, string, unknown[], number[]]>([
    ['unknown task', {}, allFailed, 'no-task', [400, 'HSS.0011'], [0, 0]],
    ['unknown task', { unknownTask: 'accept' }, allFailed, 'no-task', accepted, [0, 0]],
    [
      'unknown task',
      { unknownTask: { status: 400, code: '00000010' } },
      allFailed,
      'no-task',
      [400, '00000010'],
      [0, 0],
    ],
    ['unknown cluster', {}, specific('a', 'no-cluster'), 'task-1', [400, 'HSS.0001'], [0, 0]],
    ['unknown cluster', { unknownCluster: 'ignore' }, specific('a', 'no-cluster'), 'task-1', accepted, [1, 0]],
    ['healthy cluster', {}, specific('a', 'healthy'), 'task-1', accepted, [1, 0]],
    ['healthy cluster', { healthyCluster: 'rescan' }, specific('a', 'healthy'), 'task-1', accepted, [1, 1]],
    [
      'healthy cluster',
      { healthyCluster: 'reject', clusterRejection: refusal },
      specific('a', 'healthy'),
      'task-1',
      [400, 'HSS.1999'],
      [0, 0],
    ],
  ])('%s %j', async (_title, behaviour, body, taskId, expected, taken) => {
    const { retry } = await caller({ clusters: [...failed('a'), healthy] }, { behaviour });
    const answer = await retry(body, taskId);
    expect([answer.status, answer.json?.error_code]).toEqual(expected);
    expect(rounds()).toEqual(taken);
  });

  it.each<[Partial<Behaviour>, unknown[], number]>([
    [{}, accepted, 1],
    [{ scanningCluster: 'restart' }, accepted, 2],
    [{ scanningCluster: 'reject' }, [400, 'HSS.0001'], 1],
    [{ runningTask: refusal }, [400, 'HSS.1999'], 1],
  ])('the same call again, %j', async (behaviour, expected, scans) => {
    const { retry } = await caller({ clusters: failed('a') }, { behaviour });
    await retry(specific('a'));
    const again = await retry(specific('a'));
    expect([again.status, again.json?.error_code]).toEqual(expected);
    expect(rounds()).toEqual([scans]);
  });

  it.each<[Partial<Behaviour>, unknown[]]>([
    [{}, accepted],
    [{ cleanTask: refusal }, [400, 'HSS.1999']],
  ])('a clean task, %j', async (behaviour, expected) => {
    const { retry } = await caller({ clusters: [healthy] }, { behaviour });
    const answer = await retry(allFailed);
    expect([answer.status, answer.json?.error_code]).toEqual(expected);
  });

  it.each<[Behaviour['renewsStartTime'], boolean, boolean]>([
    ['task_and_clusters', true, true],
    ['clusters', false, true],
    ['none', false, false],
    ['no_times', false, false],
  ])('a rescan renews the start time of %s', async (renewsStartTime, ofTask, ofCluster) => {
    const { retry, tasks, resources } = await caller({ clusters: failed('a') }, { behaviour: { renewsStartTime } });
    const at = simulator.now();
    await retry(allFailed);
    const [task, cluster] = [(await tasks()).json.data_list[0], (await resources()).json.cluster_scan_data_list[0]];
    expect([task.start_time === at, cluster.start_time === at]).toEqual([ofTask, ofCluster]);
  });

  it.each([
    ['none', false],
    ['no_times', true],
  ] as const)('a rescan that renews the times of %s ends when it ends: not %s', async (renewsStartTime, isKept) => {
    const { retry, resources } = await caller({ clusters: failed('a') }, { behaviour: { renewsStartTime } });
    const endOf = async (): Promise<number> => (await resources()).json.cluster_scan_data_list[0].end_time;
    const before = await endOf();
    await retry(allFailed);
    simulator.advance(600_000);
    expect((await endOf()) === before).toBe(isKept);
  });

  it('an old error of HSS has no error_msg', async () => {
    const { retry } = await caller({}, { behaviour: { unknownTask: { status: 400, code: '00000010' } } });
    expect((await retry(allFailed, 'no-task')).json).toEqual({
      error_code: '00000010',
      error_description: expect.any(String),
    });
  });
});
