import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { RequestMethod, type DynamicModule, type Type } from '@nestjs/common';
import { AppModule } from '../../../src/app.module.js';
import type { AppConfig } from '../../../src/config/app-config.js';
import type { Scope } from '../../../src/security/principal.js';
import { IS_OPEN, SCOPES_OF_ROUTE } from '../../../src/security/route-access.js';

type ModuleLike = Type | DynamicModule;
type Access = 'open' | 'closed' | readonly Scope[];

const READ = ['requests:read', 'audit:read'] as const;
const READ_OR_OPS = ['requests:read', 'audit:read', 'ops'] as const;
const WRITE_OR_OPS = ['requests:write', 'ops'] as const;
const SCHEDULES = ['schedules:write', 'ops'] as const;

/** A new route is a line here. */
const ACCESS: Readonly<Record<string, Access>> = {
  'POST /v1/requests': ['requests:write'],
  'GET /v1/requests': READ,
  'GET /v1/requests/:id': READ,
  'GET /v1/requests/:id/targets': READ,
  'GET /v1/requests/:id/calls': READ_OR_OPS,
  'GET /v1/requests/:id/callbacks': READ,
  'POST /v1/requests/:id/cancel': WRITE_OR_OPS,
  'POST /v1/requests/:id/replay': WRITE_OR_OPS,
  'GET /v1/calls': READ_OR_OPS,
  'GET /v1/calls/:id': READ_OR_OPS,
  'GET /v1/calls/:id/targets': READ_OR_OPS,
  'POST /v1/calls/:id/resolve': ['ops'],
  'GET /v1/retry-outcomes': READ_OR_OPS,
  'GET /v1/audit/events': ['audit:read'],
  'GET /v1/audit/requests/:id/trace': ['audit:read'],
  'GET /v1/audit/clusters/:clusterId': ['audit:read'],
  'GET /v1/audit/summary': ['audit:read'],
  'GET /v1/audit/export': ['audit:read'],
  'GET /v1/audit/heads': ['audit:read'],
  'GET /v1/audit/keys': ['audit:read'],
  'POST /v1/audit/texts/:hash/redact': ['ops'],
  'GET /v1/lanes': ['requests:read', 'ops'],
  'PATCH /v1/lanes/:id': ['ops'],
  'POST /v1/lanes/:id/pause': ['ops'],
  'POST /v1/lanes/:id/resume': ['ops'],
  'PUT /v1/projects/:id/pause': ['ops'],
  'POST /v1/schedules': ['schedules:write'],
  'GET /v1/schedules': READ,
  'GET /v1/schedules/:id': READ,
  'PATCH /v1/schedules/:id': SCHEDULES,
  'DELETE /v1/schedules/:id': SCHEDULES,
  'POST /v1/schedules/:id/pause': SCHEDULES,
  'POST /v1/schedules/:id/resume': SCHEDULES,
  'POST /v1/schedules/:id/fire': SCHEDULES,
  'GET /v1/schedules/:id/fires': READ,
  'GET /v1/schedules/:id/preview': READ,
  'GET /v1/fires/:id': READ,
  'GET /v1/fires/:id/tasks': READ,
  'GET /v1/fires/:id/clusters': READ,
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /metrics': ['ops'],
};

const routes = routesOf(AppModule.of({ role: 'all' } as AppConfig));

describe('every route', () => {
  it('has a word on who may call it, and the right one', () => {
    expect(Object.fromEntries(routes)).toEqual(ACCESS);
  });

  it('that only reads opens to auditors, but for the state of the machine', () => {
    const shut = routes.filter(([route, access]) => route.startsWith('GET ') && !access.includes('audit:read'));
    expect(shut.map(([route]) => route).sort()).toEqual([
      'GET /health/live',
      'GET /health/ready',
      'GET /metrics',
      'GET /v1/lanes',
    ]);
  });

  it('that changes something opens to nobody who may only read', () => {
    const writing = routes.filter(([route]) => !route.startsWith('GET '));
    expect(writing.filter(([, access]) => /read|open|closed/.test(String(access)))).toEqual([]);
  });
});

function routesOf(module: ModuleLike): [route: string, access: Access][] {
  const controllers = new Set<Type>();
  collect(module, controllers, new Set());
  return [...controllers].flatMap((controller) => routesOfController(controller));
}

function collect(module: ModuleLike, controllers: Set<Type>, seen: Set<unknown>): void {
  if (seen.has(module)) return;
  seen.add(module);
  const type = 'module' in module ? module.module : module;
  const own: Partial<DynamicModule> = 'module' in module ? module : {};
  const listed = <T>(name: 'imports' | 'controllers'): T[] => [
    ...((Reflect.getMetadata(name, type) as T[] | undefined) ?? []),
    ...((own[name] as T[] | undefined) ?? []),
  ];
  listed<Type>('controllers').forEach((controller) => controllers.add(controller));
  listed<ModuleLike>('imports').forEach((one) => collect(one, controllers, seen));
}

function routesOfController(controller: Type): [string, Access][] {
  const prototype = controller.prototype as Record<string, object>;
  return Object.getOwnPropertyNames(prototype).flatMap((name): [string, Access][] => {
    const handler = prototype[name];
    if (!handler || !Reflect.hasMetadata('method', handler)) return [];
    const path = [controller, handler].map((place) => String(Reflect.getMetadata('path', place)).replaceAll('/', ' '));
    const url = path.join(' ').trim().split(/ +/).join('/');
    const method = RequestMethod[Number(Reflect.getMetadata('method', handler))] ?? '?';
    return [[`${method} /${url}`, accessOf(handler, controller)]];
  });
}

/** As the guard reads it: of the method, else of its class; closed where neither says anything. */
function accessOf(...places: object[]): Access {
  const find = (key: string): unknown =>
    places.map((place): unknown => Reflect.getMetadata(key, place)).find((found) => found !== undefined);
  return find(IS_OPEN) === true ? 'open' : ((find(SCOPES_OF_ROUTE) as Scope[] | undefined) ?? 'closed');
}
