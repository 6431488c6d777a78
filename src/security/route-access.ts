import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Principal, Scope } from './principal.js';

export const IS_OPEN = 'rescan:open';
export const SCOPES_OF_ROUTE = 'rescan:scopes';

/** The route needs no key. Every other one does. */
export const OpenToAll = (): MethodDecorator & ClassDecorator => SetMetadata(IS_OPEN, true);

/** The route needs a key with one of these scopes. A route that says neither is closed to everybody. */
export const NeedsScope = (...scopes: Scope[]): MethodDecorator & ClassDecorator =>
  SetMetadata(SCOPES_OF_ROUTE, scopes);

export type Authenticated = FastifyRequest & { principal?: Principal };

export const Caller = createParamDecorator((_data: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<Authenticated>();
  if (!principal) throw new Error('a route that is open to all has no caller');
  return principal;
});
