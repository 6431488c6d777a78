import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';

/** For a route that takes no body although its method may have one: a body is refused, instead of ignored. */
export const NoBody = (): MethodDecorator => RouteConfig({ noBody: true });

export function takesNoBody(request: FastifyRequest): boolean {
  const config: unknown = request.routeOptions.config;
  const marked = typeof config === 'object' && config !== null && 'noBody' in config && config.noBody === true;
  return marked || request.method === 'GET' || request.method === 'HEAD';
}
