import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { aFiredSchedule, retryOf, ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: string;
  readonly operationId: string;
  readonly responses: Readonly<Record<string, unknown>>;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { readonly type: string };
  }[];
  readonly requestBody?: object;
  readonly security?: readonly { readonly bearer?: readonly string[] }[];
}

const ROUTES = [
  'POST /v1/requests',
  'GET /v1/requests',
  'GET /v1/requests/{id}',
  'GET /v1/requests/{id}/targets',
  'GET /v1/requests/{id}/calls',
  'GET /v1/requests/{id}/callbacks',
  'POST /v1/requests/{id}/cancel',
  'POST /v1/requests/{id}/replay',
  'GET /v1/calls',
  'GET /v1/calls/{id}',
  'GET /v1/calls/{id}/targets',
  'POST /v1/calls/{id}/resolve',
  'GET /v1/retry-outcomes',
  'GET /v1/audit/events',
  'GET /v1/audit/requests/{id}/trace',
  'GET /v1/audit/clusters/{clusterId}',
  'GET /v1/audit/summary',
  'GET /v1/audit/export',
  'GET /v1/audit/heads',
  'GET /v1/audit/keys',
  'POST /v1/audit/texts/{hash}/redact',
  'GET /v1/lanes',
  'PATCH /v1/lanes/{id}',
  'POST /v1/lanes/{id}/pause',
  'POST /v1/lanes/{id}/resume',
  'PUT /v1/projects/{id}/pause',
  'POST /v1/schedules',
  'GET /v1/schedules',
  'GET /v1/schedules/{id}',
  'PATCH /v1/schedules/{id}',
  'DELETE /v1/schedules/{id}',
  'POST /v1/schedules/{id}/pause',
  'POST /v1/schedules/{id}/resume',
  'POST /v1/schedules/{id}/fire',
  'GET /v1/schedules/{id}/fires',
  'GET /v1/schedules/{id}/preview',
  'GET /v1/fires/{id}',
  'GET /v1/fires/{id}/tasks',
  'GET /v1/fires/{id}/clusters',
  'GET /health/live',
  'GET /health/ready',
  'GET /metrics',
];

const GARBAGE: readonly unknown[] = [
  null,
  0,
  true,
  'text',
  [],
  [{}],
  {},
  { unknown: 1 },
  { __proto__: null, results: 7 },
];

let rig: ServiceRig;
let service: ServiceProcess;
let operator: ApiClient;
let document: any;
let operations: Operation[];
let ids: Record<'requests' | 'calls' | 'lanes' | 'projects' | 'schedules' | 'fires' | 'clusters', string>;

beforeAll(async () => {
  rig = await ServiceRig.open();
  service = await rig.start();
  operator = await rig.operator();
  const task = rig.task(1);
  const { id } = await operator.submit(retryOf(task));
  await operator.untilAllAccepted(id);
  const schedule = await aFiredSchedule(operator, rig.task(0));
  ids = {
    ...schedule,
    requests: id,
    calls: (await operator.calls(id))[0]?.id ?? '',
    lanes: 'main.retryTask',
    projects: 'project-1',
    clusters: task.clusterIds[0] ?? '',
  };
  document = await (await fetch(`${service.url}/openapi.json`)).json();
  operations = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ parameters: [], ...operation, method, path })),
  );
});

afterAll(() => rig.close());

function concrete(path: string): string {
  const [, kind] = /(\w+)\/\{\w+\}/.exec(path) ?? [];
  return path.replace(/\{\w+\}/, ids[kind as keyof typeof ids]);
}

/** A body of any kind: `ApiClient` sends objects only. */
async function send(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const answer = await fetch(service.url + path, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${operator.key}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
      connection: 'close',
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

function expectRefused(what: string, { status, text }: { status: number; text: string }): void {
  const problem = JSON.parse(text);
  expect({ what, status: problem.status, code: typeof problem.code }).toEqual({ what, status, code: 'string' });
  expect({ what, isMistake: status >= 400 && status < 500 }).toEqual({ what, isMistake: true });
}

describe('the OpenAPI document', () => {
  it('is one of version 3.1, open to all, with a page beside it', async () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document.info).toMatchObject({ title: 'rescan', version: expect.any(String) });
    const page = await fetch(`${service.url}/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
  });

  it('has every route of the contract, and no other', () => {
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual([...ROUTES].sort());
  });

  it('gives every route a name of its own, its answers and its parameters', () => {
    const names = operations.map(({ operationId }) => operationId);
    expect(names.every((name) => /^[a-z][A-Za-z]+$/.test(name))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
    for (const { path, responses, parameters } of operations) {
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
  });

  it('has something behind every reference', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) =>
      path!.split('/'),
    );
    expect(references.length).toBeGreaterThan(0);
    for (const path of references) {
      expect([path, path.reduce((part, key) => part?.[key], document)]).toEqual([path, expect.any(Object)]);
    }
  });

  it('asks for a key everywhere but where anybody may look', () => {
    const open = operations.filter((operation) => !('security' in operation)).map(({ path }) => path);
    expect(open.sort()).toEqual(['/health/live', '/health/ready']);
  });

  it('names the scopes of which a route needs one, each as an alternative, and in words', () => {
    const of = (id: string): unknown => operations.find(({ operationId }) => operationId === id);
    expect(of('getRequest')).toMatchObject({
      security: [{ bearer: ['requests:read'] }, { bearer: ['audit:read'] }],
      description: 'Needs a key with the scope requests:read or audit:read.',
    });
    expect(of('pauseLane')).toMatchObject({ security: [{ bearer: ['ops'] }] });
    const alternatives = operations.flatMap(({ security }) => security ?? []);
    expect(alternatives.every(({ bearer }) => bearer?.length === 1)).toBe(true);
  });
});

describe('garbage', () => {
  it('sent to any route is the mistake of its sender, and no fault of the service', async () => {
    const posted = Object.keys(document.paths).map((path) => ({ method: 'post', path }));
    const taking = operations.filter(({ method }) => method === 'put' || method === 'patch');
    for (const { method, path } of [...posted, ...taking]) {
      const takesNoBody = operations.some((one) => one.path === path && one.method === 'post' && !one.requestBody);
      const mayBeEmpty = path.endsWith('/replay');
      for (const body of GARBAGE) {
        const isFine = mayBeEmpty && JSON.stringify(body) === '{}';
        const what = `${method} ${path} ${JSON.stringify(body)} ${takesNoBody ? '(takes no body)' : ''}`;
        if (!isFine) expectRefused(what, await send(method, concrete(path), body));
      }
    }
  });

  it('in any query parameter is the mistake of its sender', async () => {
    const taking = operations.filter(({ method }) => method === 'get');
    for (const { path, parameters } of taking) {
      for (const { name } of parameters.filter((parameter) => parameter.in === 'query')) {
        const answer = await operator.get(`${concrete(path)}?${name}=%00%F0%9F%92%A5`);
        expectRefused(`GET ${path} ${name}`, { status: answer.status, text: JSON.stringify(answer.body) });
      }
      if (parameters.every((parameter) => parameter.in !== 'query')) continue;
      const answer = await operator.get(`${concrete(path)}?surely_unknown=1`);
      expectRefused(`GET ${path} unknown`, { status: answer.status, text: JSON.stringify(answer.body) });
    }
  });

  it('left no error in the log, and nothing in the database', async () => {
    expect(service.log().filter(({ level }) => level >= 50)).toEqual([]);
    expect(await rig.query('SELECT count(*)::int AS n FROM request')).toEqual([{ n: 1 }]);
  });
});
