import { describe, expect, it } from '@jest/globals';
import type { CredentialAuth } from '../../../src/config/app-config.js';
import { HssClient } from '../../../src/upstream/hss-client.js';
import type { ClusterScan, ListAnswer, ListPage, ResourceQuery, TaskQuery } from '../../../src/upstream/scan-tasks.js';
import {
  limitsOff,
  startSimulator,
  type FaultEffect,
  type ScenarioInput,
  type Simulator,
} from '../../../src/simulator/simulator.js';
import { aCall, aCredential, aResourceQuery, aTaskQuery, inShort, keys, password } from './builders.js';
import { afterwards } from './rig.js';

interface World {
  readonly simulator: Simulator;
  readonly client: HssClient;
  readonly advance: (ms: number) => void;
  readonly now: () => number;
}

/** A simulator whose clock stands still until it is moved, and a client for it. */
async function aWorld(scenario: ScenarioInput, auth: CredentialAuth = keys, timeoutMs = 10_000): Promise<World> {
  let now = Date.UTC(2026, 0, 1);
  const simulator = await startSimulator({
    clock: () => now,
    scenario: {
      credentials: [
        { name: 'key', projects: '*', accessKey: { ak: 'AK1', sk: 'SK1' } },
        { name: 'user', projects: '*', user: { name: 'svc', password: 'PW1', domain: 'acme' } },
      ],
      limits: limitsOff,
      ...scenario,
    },
  });
  const urls = { hssUrl: simulator.hssUrl, iamUrl: simulator.iamUrl };
  const client = new HssClient([aCredential({ ...urls, auth, timeoutMs })], new Map());
  afterwards(
    () => simulator.close(),
    () => client.close(0),
  );
  return { simulator, client, advance: (ms) => void (now += ms), now: () => now };
}

const aTask = { projectId: 'p1', taskId: 't1' };

function pageOf<T>({ outcome }: ListAnswer<T>): ListPage<T> {
  if (outcome.kind !== 'read') throw new Error(`not read: ${JSON.stringify(outcome)}`);
  return outcome.page;
}

/** All pages, as a lookup reads them. */
async function allClusters(client: HssClient, query: Partial<ResourceQuery> = {}): Promise<ClusterScan[]> {
  const found: ClusterScan[] = [];
  for (let offset: number | null = 0; offset !== null;) {
    const page: ListPage<ClusterScan> = pageOf(await client.listTaskResources(aResourceQuery({ ...query, offset })));
    found.push(...page.rows);
    offset = page.nextOffset;
  }
  return found;
}

describe('the clusters of a task', () => {
  const large = { ...aTask, failedClusters: 450, healthyClusters: 50 };

  it.each<[string, CredentialAuth]>([
    ['key', keys],
    ['password', password],
  ])('come in pages, each once, read with a %s', async (_title, auth) => {
    const { client, simulator } = await aWorld({ tasks: [large] }, auth);
    const clusters = await allClusters(client, { scanStatus: 'failed' });
    expect(simulator.controls.ledger({ operation: 'ListTaskResources' })).toHaveLength(3);
    const failed = simulator.controls.clusters('p1', 't1').filter(({ status }) => status === 'failed');
    expect(clusters.map(({ clusterId }) => clusterId).sort()).toEqual(failed.map(({ clusterId }) => clusterId).sort());
    expect(new Set(clusters.map(({ scanStatus }) => scanStatus))).toEqual(new Set(['failed']));
  });

  it('say how many there are', async () => {
    const { client } = await aWorld({ tasks: [large] });
    const page = pageOf(await client.listTaskResources(aResourceQuery({ offset: 490, limit: 10 })));
    expect([page.rows.length, page.rowsSeen, page.total, page.nextOffset]).toEqual([10, 10, 500, null]);
  });

  it('tell times, items and reasons', async () => {
    const clusters = [
      { clusterId: 'c1', failedScanTypes: ['benchmark' as const], reason: 'agent offline' },
      { clusterId: 'c2', status: 'success' as const },
    ];
    const { client, now } = await aWorld({
      tasks: [{ ...aTask, scanTypes: ['cluster_vul', 'benchmark'], clusters, startedAgoMs: 3_600_000 }],
    });
    const [first, second] = await allClusters(client);
    expect(first).toEqual({
      clusterId: 'c1',
      scanStatus: 'failed',
      startTime: new Date(now() - 3_600_000),
      endTime: new Date(now() - 3_000_000),
      items: [
        { scanType: 'cluster_vul', status: 'success', failedReason: null },
        { scanType: 'benchmark', status: 'failed', failedReason: 'agent offline' },
      ],
    });
    expect(second).toMatchObject({ clusterId: 'c2', scanStatus: 'success' });
    expect(await allClusters(client, { clusterId: 'c2' })).toEqual([second]);
    expect(await allClusters(client, { scanStatus: 'scanning' })).toEqual([]);
  });

  it('show what a call whose answer was lost has done', async () => {
    const { client, simulator, advance, now } = await aWorld({
      tasks: [{ ...aTask, clusters: [{ clusterId: 'c1', next: ['success'] }] }],
    });
    simulator.controls.addFaults({ operation: 'RetryTask', effect: { kind: 'reset', work: 'all' } });
    const sentAt = new Date(now());
    expect(inShort(await client.retry(aCall()))).toBe('unknown reset, sent');
    expect(await allClusters(client)).toMatchObject([{ scanStatus: 'scanning', startTime: sentAt, endTime: null }]);
    advance(10_000);
    const [cluster] = await allClusters(client);
    expect(cluster?.scanStatus).toBe('success');
    expect(cluster!.endTime!.getTime()).toBeGreaterThan(sentAt.getTime());
  });

  it('of an unknown task are an error and no empty list', async () => {
    const { client } = await aWorld({ tasks: [] });
    expect(inShort(await client.listTaskResources(aResourceQuery()))).toBe('rejected task, sent');
  });
});

describe('the tasks of a project', () => {
  it('come in pages', async () => {
    const { client } = await aWorld({ tasks: [{ projectId: 'p1', count: 210, failedClusters: 1 }] });
    const first = pageOf(await client.listTasks(aTaskQuery()));
    const second = pageOf(await client.listTasks(aTaskQuery({ offset: first.nextOffset! })));
    expect([first.total, first.rows.length, second.rows.length, second.nextOffset]).toEqual([210, 200, 10, null]);
    expect(new Set([...first.rows, ...second.rows].map(({ taskId }) => taskId)).size).toBe(210);
  });

  it('are found by id and status, with their numbers', async () => {
    const { client, now } = await aWorld({
      tasks: [
        { ...aTask, failedClusters: 3, healthyClusters: 9 },
        { ...aTask, taskId: 't2' },
      ],
    });
    const one = aTaskQuery({ taskId: 't1' });
    expect(pageOf(await client.listTasks(one)).rows).toEqual([
      {
        taskId: 't1',
        taskStatus: 'finished',
        startTime: new Date(now() - 3_600_000),
        endTime: new Date(now() - 3_000_000),
        estimatedMinutes: null,
        scanningClusters: 0,
        successClusters: 9,
        failedClusters: 3,
      },
    ]);
    await client.retry(aCall());
    expect(pageOf(await client.listTasks({ ...one, taskStatus: 'running' })).rows).toMatchObject([
      { taskStatus: 'running', startTime: new Date(now()), endTime: null, estimatedMinutes: 1, scanningClusters: 3 },
    ]);
    expect(pageOf(await client.listTasks({ ...one, taskStatus: 'finished' })).rows).toEqual([]);
  });
});

describe('the tasks that a schedule is about', () => {
  it.each<[string, Partial<TaskQuery>, string[]]>([
    ['by a part of their name', { taskName: 'prod' }, ['t1', 't2']],
    ['by what started them', { triggerType: 'schedule' }, ['t2']],
    ['by what they scan', { scanTypes: ['benchmark'] }, ['t1', 't3']],
    ['by when they were created', { createdFrom: new Date(Date.UTC(2026, 0, 1) - 7_200_000) }, ['t1', 't2']],
    ['by all of it', { taskName: 'prod', triggerType: 'manual', scanTypes: ['benchmark', 'cluster_vul'] }, ['t1']],
  ])('are found %s', async (_title, filter, expected) => {
    const { client } = await aWorld({
      tasks: [
        { ...aTask, taskName: 'prod-east', scanTypes: ['benchmark'], startedAgoMs: 3_600_000 },
        {
          ...aTask,
          taskId: 't2',
          taskName: 'eu-prod',
          triggerType: 'schedule',
          scanTypes: ['cluster_vul'],
          startedAgoMs: 7_000_000,
        },
        { ...aTask, taskId: 't3', taskName: 'stage', scanTypes: ['benchmark'], startedAgoMs: 9_000_000 },
      ],
    });
    const page = pageOf(await client.listTasks(aTaskQuery(filter)));
    expect(page.rows.map(({ taskId }) => taskId).sort()).toEqual(expected);
  });
});

describe('trouble', () => {
  it('throttled by the upstream, with the numbers of its text', async () => {
    const { client } = await aWorld({ limits: { user: { calls: 1, windowMs: 60_000 } }, tasks: [aTask] });
    expect(inShort(await client.listTasks(aTaskQuery()))).toBe('read, sent');
    const { outcome } = await client.listTasks(aTaskQuery());
    expect(outcome).toMatchObject({ kind: 'throttled', policy: 'user', limit: 1, windowMs: 60_000 });
    // Each operation has a window of its own.
    expect(inShort(await client.listTaskResources(aResourceQuery()))).toBe('read, sent');
  });

  it.each<[FaultEffect, string]>([
    [{ kind: 'error', status: 500, code: 'HSS.0041' }, 'unknown gateway, sent'],
    [{ kind: 'error', status: 502, shape: 'html' }, 'unknown gateway, sent'],
    [{ kind: 'error', status: 503, code: 'APIGW.0605' }, 'unavailable, sent'],
    [{ kind: 'error', status: 400, code: 'HSS.1004' }, 'unavailable, sent'],
    [{ kind: 'error', status: 200, code: 'HSS.1004' }, 'unknown contradiction, sent'],
    [{ kind: 'error', status: 200, shape: 'html' }, 'unknown contradiction, sent'],
    [{ kind: 'error', status: 200, shape: 'empty' }, 'unknown contradiction, sent'],
    [{ kind: 'reset', work: 'all' }, 'unknown reset, sent'],
    [{ kind: 'truncate', work: 'all' }, 'unknown truncated, sent'],
    [{ kind: 'no_answer', work: 'all' }, 'unknown timeout, sent'],
    [{ kind: 'huge_body', bytes: 20_000_000 }, 'unknown truncated, sent'],
    [{ kind: 'expire_token' }, 'blocked authentication, sent'],
  ])('%j', async (effect, expected) => {
    const { client, simulator } = await aWorld({ tasks: [{ ...aTask, failedClusters: 20 }] }, password, 500);
    simulator.controls.addFaults({ operation: 'ListTaskResources', effect });
    expect(inShort(await client.listTaskResources(aResourceQuery()))).toBe(expected);
    // Once: the client repeats nothing by itself.
    expect(simulator.controls.ledger({ operation: 'ListTaskResources' })).toHaveLength(1);
    if (effect.kind === 'expire_token') client.renewCredential('main');
    expect(await allClusters(client)).toHaveLength(20);
  });
});
