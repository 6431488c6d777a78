import { applyDecorators, createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Principal, Scope } from './principal.js';

/** The name of the API key in the OpenAPI document; each scope that opens a route is an alternative there. */
const KEY_SCHEME = 'bearer';
export const IS_OPEN = 'rescan:open';
export const SCOPES_OF_ROUTE = 'rescan:scopes';

/** The route needs no key. Every other one does. */
export const OpenToAll = (): MethodDecorator & ClassDecorator => SetMetadata(IS_OPEN, true);

/** The route needs a key with one of these scopes. A route that says neither is closed to everybody. */
export const NeedsScope = (...scopes: Scope[]): MethodDecorator & ClassDecorator =>
  applyDecorators(SetMetadata(SCOPES_OF_ROUTE, scopes), ...scopes.map((scope) => ApiSecurity(KEY_SCHEME, [scope])));

export type Authenticated = FastifyRequest & { principal?: Principal };

export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<Authenticated>();
  if (!principal) throw new Error('a route that is open to all has no caller');
  return principal;
});
