import { describe, expect, it } from '@jest/globals';
import { listTaskResources, listTasks, retryTask } from '../../../src/upstream/operations.js';
import type { ResourceQuery, RetryCall, TaskQuery } from '../../../src/upstream/scan-tasks.js';
import { aCall, aResourceQuery, aTaskQuery } from '../../contract/upstream/builders.js';

describe('RetryTask', () => {
  it('puts the body that was hashed', () => {
    expect(retryTask(aCall({ enterpriseProjectId: 'all_granted_eps', body: '{"a": 1}' }))).toEqual({
      method: 'PUT',
      path: ['v5', 'p1', 'common', 'tasks', 't1', 'retry'],
      query: [['enterprise_project_id', 'all_granted_eps']],
      body: '{"a": 1}',
      maxResultBytes: 65_536,
      clusters: null,
    });
  });

  it('says how many clusters it names', () => {
    const clusters = [1, 2, 3].map((n) => ({ clusterId: `c${n}`, scanTypes: 0 }));
    expect(retryTask(aCall({ range: { rangeType: 'specific_cluster', clusters } }))?.clusters).toBe(3);
  });
});

describe('ListTaskResources', () => {
  it('asks for a page of a task', () => {
    expect(listTaskResources(aResourceQuery({ offset: 400, limit: 100 }))).toEqual({
      method: 'POST',
      path: ['v5', 'p1', 'common', 'tasks', 't1', 'resources', 'batch-query'],
      query: [
        ['enterprise_project_id', '0'],
        ['limit', '100'],
        ['offset', '400'],
      ],
      body: '{"task_type":"cluster_scan","cluster_scan_info":{}}',
      maxResultBytes: 4_194_304,
      clusters: 0,
    });
  });

  it.each<[Partial<ResourceQuery>, object]>([
    [{ scanStatus: 'failed' }, { scan_status: 'failed' }],
    [{ clusterId: 'c1' }, { cluster_id: 'c1' }],
    [
      { clusterId: 'c1', scanStatus: 'scanning' },
      { cluster_id: 'c1', scan_status: 'scanning' },
    ],
  ])('of %j', (filter, info) => {
    expect(JSON.parse(listTaskResources(aResourceQuery(filter))!.body)).toEqual({
      task_type: 'cluster_scan',
      cluster_scan_info: info,
    });
  });
});

describe('ListTasks', () => {
  it.each<[Partial<TaskQuery>, object]>([
    [{}, {}],
    [{ taskId: 't1' }, { task_id: 't1' }],
    [{ taskStatus: 'running' }, { task_status: 'running' }],
    [{ taskName: 'prod' }, { task_name: 'prod' }],
    [{ triggerType: 'schedule' }, { trigger_type: 'schedule' }],
    [{ createdFrom: new Date(1_800_000_000_000) }, { start_create_time: 1_800_000_000_000 }],
    [{ scanTypes: ['benchmark'] }, { cluster_scan_info: { scan_type_list: ['benchmark'] } }],
  ])('of %j', (filter, body) => {
    const operation = listTasks(aTaskQuery(filter))!;
    expect(operation).toMatchObject({ method: 'POST', path: ['v5', 'p1', 'common', 'tasks', 'batch-query'] });
    expect(JSON.parse(operation.body)).toEqual({ task_type: 'cluster_scan', ...body });
  });
});

const isSendable = (changed: Partial<RetryCall & ResourceQuery>): boolean[] =>
  [retryTask(aCall(changed)), listTaskResources(aResourceQuery(changed)), listTasks(aTaskQuery(changed))].map(
    (operation) => operation !== null,
  );
const all = [true, true, true];
const none = [false, false, false];

describe('ids that cannot be sent', () => {
  it.each(['', '.', '..', 'a b', 'a\nb', 'a\u0000b', 'é', 'x'.repeat(257)])('%j', (id) => {
    expect(isSendable({ projectId: id })).toEqual(none);
    expect(isSendable({ enterpriseProjectId: id })).toEqual(none);
    expect(isSendable({ taskId: id })).toEqual(none);
    expect(isSendable({ clusterId: id })).toEqual([true, false, true]);
  });

  it('a task id of more than 64 characters, where a project may have 256', () => {
    expect(isSendable({ projectId: 'x'.repeat(256), taskId: 'x'.repeat(64) })).toEqual(all);
    expect(isSendable({ taskId: 'x'.repeat(65) })).toEqual(none);
  });
});

describe('pages that HSS would refuse', () => {
  it.each<[Partial<ResourceQuery>, boolean]>([
    [{ offset: 0, limit: 10 }, true],
    [{ offset: 2_000_000, limit: 200 }, true],
    [{ offset: 2_000_001 }, false],
    [{ offset: -1 }, false],
    [{ offset: 0.5 }, false],
    [{ offset: NaN }, false],
    [{ limit: 9 }, false],
    [{ limit: 201 }, false],
    [{ limit: 10.5 }, false],
  ])('%j: %s', (page, expected) => expect(isSendable(page)).toEqual([true, expected, expected]));
});
