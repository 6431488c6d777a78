import { BasicCredentials } from '@huaweicloud/huaweicloud-sdk-core/auth/BasicCredentials.js';
import { HcClient } from '@huaweicloud/huaweicloud-sdk-core/HcClient.js';
import { DefaultHttpClient } from '@huaweicloud/huaweicloud-sdk-core/http/DefaultHttpClient.js';
import { request, type IncomingHttpHeaders } from 'node:http';
import {
  demoProject,
  limitsOff,
  type ScenarioInput,
  type Simulator,
  startSimulator,
  type TaskSpec,
} from '../../../src/simulator/simulator.js';

export const key = { ak: 'TESTACCESSKEY', sk: 'test-secret-key' };
export const user = { name: 'tester', password: 'test-password', domain: 'test-domain' };
export const project = demoProject;

export interface World extends Simulator {
  /** Moves the simulator's clock. */
  advance(ms: number): void;
  now(): number;
}

/** A simulator without limits and tasks, with a clock that stands still until it is moved. */
export async function aSimulator(scenario: ScenarioInput = {}): Promise<World> {
  let offset = 0;
  const started = Date.now();
  const clock = (): number => started + offset;
  const credentials = [
    { name: 'key', projects: '*' as const, accessKey: key },
    { name: 'user', projects: '*' as const, user },
  ];
  const simulator = await startSimulator({
    clock,
    scenario: {
      credentials,
      limits: limitsOff,
      tasks: [],
      scans: { minMs: 1_000, maxMs: 1_000, successRate: 1 },
      ...scenario,
    },
  });
  return { ...simulator, advance: (ms) => void (offset += ms), now: clock };
}

export function aTask(spec: TaskSpec = {}): TaskSpec {
  return { projectId: project, taskId: 'task-1', scanTypes: ['cluster_vul', 'benchmark'], ...spec };
}

/** Failed clusters with these ids. */
export function failed(...clusterIds: string[]): NonNullable<TaskSpec['clusters']> {
  return clusterIds.map((clusterId) => ({ clusterId }));
}

export const allFailed = { task_type: 'cluster_scan', cluster_scan_info: { range_type: 'all_failed_cluster' } };

export function specific(...clusterIds: string[]) {
  return {
    task_type: 'cluster_scan',
    cluster_scan_info: {
      range_type: 'specific_cluster',
      cluster_info_list: clusterIds.map((cluster_id) => ({ cluster_id })),
    },
  };
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: any;
}

interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** node:http, since fetch folds paths and refuses headers of 16 KiB. Rejects when the answer breaks off. */
export function send(base: string, { method = 'GET', path, headers = {}, body }: Call): Promise<Answered> {
  const { hostname, port } = new URL(base);
  const bytes = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const contentType =
      bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) };
    const outgoing = request(
      { hostname, port, method, path, headers: { ...contentType, ...headers }, agent: false, maxHeaderSize: 65_536 },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: jsonOf(text) });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function login(overrides: Partial<typeof user> = {}, scope: object = { id: project }) {
  const { name, password, domain } = { ...user, ...overrides };
  const identity = { methods: ['password'], password: { user: { name, password, domain: { name: domain } } } };
  return { auth: { identity, scope: { project: scope } } };
}

export async function aToken(simulator: Simulator): Promise<string> {
  const { headers } = await send(simulator.iamUrl, {
    method: 'POST',
    path: '/v3/auth/tokens?nocatalog=true',
    body: login(),
  });
  return String(headers['x-subject-token']);
}

/** Calls with a token of its own. */
export async function aCaller(simulator: Simulator) {
  const token = await aToken(simulator);
  const call = (method: string, path: string, body?: unknown, headers = {}) =>
    send(simulator.hssUrl, { method, path, body, headers: { 'x-auth-token': token, ...headers } });
  return {
    token,
    call,
    retry: (body: unknown, taskId = 'task-1', query = '') =>
      call('PUT', `/v5/${project}/common/tasks/${taskId}/retry${query}`, body),
    tasks: (body: object = {}, query = '') =>
      call('POST', `/v5/${project}/common/tasks/batch-query${query}`, { task_type: 'cluster_scan', ...body }),
    resources: (info: object = {}, query = '?limit=200', taskId = 'task-1') =>
      call('POST', `/v5/${project}/common/tasks/${taskId}/resources/batch-query${query}`, {
        task_type: 'cluster_scan',
        cluster_scan_info: info,
      }),
  };
}

const silent = () => undefined;
const silentLogger = { level: 0, info: silent, warn: silent, error: silent, debug: silent };

/** RetryTask by the vendor's own client and signer; its default logger would print the Authorization header. */
export function officialClient(simulator: Simulator, { ak, sk } = key) {
  const client = new HcClient(new DefaultHttpClient({ logger: silentLogger } as never, [simulator.hssUrl]));
  client.withEndpoints([simulator.hssUrl]);
  client.withCredential(new BasicCredentials({ ak, sk }).withProjectId(project));
  return {
    retry: (taskId: string, data: unknown, queryParams: object = {}): Promise<{ httpStatusCode: number }> =>
      client.sendRequest({
        method: 'PUT',
        url: '/v5/{project_id}/common/tasks/{task_id}/retry',
        contentType: 'application/json',
        pathParams: { project_id: project, task_id: taskId },
        queryParams,
        headers: {},
        data,
      } as never),
  };
}

export async function failureOf(call: Promise<unknown>): Promise<any> {
  return call.then(
    () => {
      throw new Error('the call went through');
    },
    (error: unknown) => error,
  );
}
