import { describe, expect, it } from '@jest/globals';
import { HssClient } from '../../../src/upstream/hss-client.js';
import type { ClusterScan, ListAnswer } from '../../../src/upstream/scan-tasks.js';
import { aCall, aCredential, aResourceQuery, aTaskQuery, inShort, password } from './builders.js';
import { headerIn, http, type Answerer } from './raw-server.js';
import { aClient, aServer, afterwards, closedInTheMiddle } from './rig.js';

const emptyList: Answerer = (socket) => void socket.write(http('200 OK', {}, '{"cluster_scan_data_list":[]}'));

/** One page of clusters from one server. */
async function listFrom(answer: Answerer, timeoutMs = 10_000): Promise<ListAnswer<ClusterScan>> {
  const server = await aServer(answer);
  return aClient(server.port, { timeoutMs }).listTaskResources(aResourceQuery());
}

describe('what is sent', () => {
  it.each<[string, (client: HssClient) => Promise<unknown>, string, string]>([
    [
      'for the clusters of a task',
      (client) => client.listTaskResources(aResourceQuery({ scanStatus: 'failed', offset: 200 })),
      '/v5/p1/common/tasks/t1/resources/batch-query?enterprise_project_id=0&limit=200&offset=200',
      '{"task_type":"cluster_scan","cluster_scan_info":{"scan_status":"failed"}}',
    ],
    [
      'for the tasks of a project',
      (client) => client.listTasks(aTaskQuery({ taskStatus: 'running', limit: 10 })),
      '/v5/p1/common/tasks/batch-query?enterprise_project_id=0&limit=10&offset=0',
      '{"task_type":"cluster_scan","task_status":"running"}',
    ],
    [
      'for those that a schedule is about',
      (client) =>
        client.listTasks(
          aTaskQuery({
            taskName: 'prod "1"',
            createdFrom: new Date(1_767_225_600_000),
            triggerType: 'manual',
            scanTypes: ['cluster_vul', 'benchmark'],
          }),
        ),
      '/v5/p1/common/tasks/batch-query?enterprise_project_id=0&limit=200&offset=0',
      '{"task_type":"cluster_scan","task_name":"prod \\"1\\"","start_create_time":1767225600000,"trigger_type":"manual","cluster_scan_info":{"scan_type_list":["cluster_vul","benchmark"]}}',
    ],
  ])('%s', async (_title, list, target, body) => {
    const server = await aServer(emptyList);
    await list(aClient(server.port));
    const [request = ''] = server.requests;
    expect(request.split('\r\n')[0]).toBe(`POST ${target} HTTP/1.1`);
    expect(request.split('\r\n\r\n')[1]).toBe(body);
    expect(headerIn(request, 'authorization')).toMatch(/^SDK-HMAC-SHA256 Access=AK1, /);
  });

  it('uses the same token as other calls', async () => {
    const iam = await aServer((socket) => void socket.write(http('201 Created', { 'x-subject-token': 'tok' })));
    const hss = await aServer(emptyList);
    const urls = { hssUrl: `http://127.0.0.1:${hss.port}`, iamUrl: `http://127.0.0.1:${iam.port}` };
    const client = new HssClient([aCredential({ ...urls, auth: password })], new Map());
    afterwards(() => client.close(0));
    await Promise.all([client.listTaskResources(aResourceQuery()), client.retry(aCall())]);
    expect(iam.requests).toHaveLength(1);
    expect(hss.requests.map((request) => headerIn(request, 'x-auth-token'))).toEqual(['tok', 'tok']);
  });
});

describe('an answer', () => {
  it('brings its page, its duration and the date of the server', async () => {
    const body = '{"total_num":1,"cluster_scan_data_list":[{"cluster_id":"c1","scan_status":"scanning"}]}';
    const headers = { date: 'Thu, 01 Jan 2026 00:00:07 GMT', 'x-request-id': 'req-1' };
    expect(await listFrom((socket) => void socket.write(http('200 OK', headers, body)))).toEqual({
      outcome: {
        kind: 'read',
        page: {
          rows: [{ clusterId: 'c1', scanStatus: 'scanning', startTime: null, endTime: null, items: [] }],
          rowsSeen: 1,
          total: 1,
          nextOffset: null,
        },
        evidence: { httpStatus: 200, errorCode: null, errorText: null, upstreamRequestId: 'req-1' },
      },
      sent: true,
      durationMs: expect.any(Number),
      serverDate: new Date('2026-01-01T00:00:07Z'),
    });
  });

  it.each<[string, Answerer, string]>([
    ['an empty body', (socket) => void socket.write(http('200 OK')), 'unknown contradiction, sent'],
    ['HTML', (socket) => void socket.write(http('200 OK', {}, '<html></html>')), 'unknown contradiction, sent'],
    [
      'an error',
      (socket) => void socket.write(http('400 Bad', {}, '{"error_code":"HSS.0011"}')),
      'rejected task, sent',
    ],
    [
      'a body shorter than it said',
      (socket) => void socket.end(http('200 OK', { 'content-length': '99' }, '{"cluster_scan_data_list":[]}')),
      'unknown truncated, sent',
    ],
    ['nothing: closed', (socket) => void socket.end(), 'unknown reset, sent'],
  ])('%s', async (_title, answer, expected) => expect(inShort(await listFrom(answer))).toBe(expected));

  it('that does not come in time is unknown', async () => {
    expect(inShort(await listFrom(() => undefined, 100))).toBe('unknown timeout, sent');
  });

  /** 200 clusters of three items each, with reasons of this length. */
  const longReasons = (length: number): string => {
    const item = { scan_type: 'benchmark', status: 'failed', failed_reason: 'no '.repeat(length / 3) };
    const row = (n: number) => ({ cluster_id: `c${n}`, scan_detail_list: [item, item, item] });
    return JSON.stringify({ total_num: 200, cluster_scan_data_list: Array.from({ length: 200 }, (_, n) => row(n)) });
  };

  it('may have 4 MiB', async () => {
    const answer = await listFrom((socket) => void socket.write(http('200 OK', {}, longReasons(6_000))));
    expect(answer.outcome).toMatchObject({ kind: 'read', page: { rowsSeen: 200, nextOffset: null } });
  });

  it('of more is cut off, and not read in part', async () => {
    const answer = await listFrom((socket) => void socket.write(http('200 OK', {}, longReasons(9_000))));
    expect(inShort(answer)).toBe('unknown truncated, sent');
    expect(answer.outcome.evidence.errorText?.length).toBeLessThanOrEqual(500);
  });

  it('that is an error is read for 64 KiB, as of any call', async () => {
    const body = `{"error_code":"HSS.0011","error_msg":"${'x '.repeat(500_000)}"}`;
    const answer = await listFrom((socket) => void socket.write(http('400 Bad', {}, body)));
    expect(inShort(answer)).toBe('rejected task, sent');
  });
});

describe('nothing is sent', () => {
  it.each([
    ['beyond the last page that HSS has', { offset: 2_000_200 }],
    ['for a page smaller than HSS takes', { limit: 9 }],
    ['for an id that no path can carry', { taskId: '..' }],
  ])('%s', async (_title, changed) => {
    const server = await aServer(emptyList);
    expect(inShort(await aClient(server.port).listTaskResources(aResourceQuery(changed)))).toBe('rejected task');
    expect(server.connections()).toBe(0);
  });

  it('when its lane does not let it start any more', async () => {
    const server = await aServer(emptyList);
    const answer = await aClient(server.port).listTasks(aTaskQuery({ mayStart: () => false }));
    expect(inShort(answer)).toBe('not_sent lease');
    await server.ended;
    expect(server.bytes()).toBe(0);
  });
});

describe('closing', () => {
  it('waits for a list, and cuts it off after the grace', async () => {
    const { client, closed, ended } = await closedInTheMiddle((of) => of.listTasks(aTaskQuery()));
    await closed;
    expect(inShort(await ended)).toBe('unknown reset, sent');
    expect(inShort(await client.listTasks(aTaskQuery()))).toBe('not_sent shutdown');
  });
});
