import type { FastifyInstance } from 'fastify';

/** Which methods a path takes: Fastify itself answers 404 for a wrong method, and does not say. */
export class Routes {
  readonly #methods = new Map<string, Set<string>>();

  add(pattern: string, methods: readonly string[]): void {
    const known = this.#methods.get(pattern) ?? new Set();
    methods.forEach((method) => known.add(method));
    this.#methods.set(pattern, known);
  }

  /** @returns the methods in alphabetical order; none for a path without a route. */
  methodsFor(url: string): string[] {
    const path = url.split('?', 1)[0] ?? '';
    const found = [...this.#methods]
      .filter(([pattern]) => matches(pattern, path))
      .flatMap(([, methods]) => [...methods]);
    return [...new Set(found)].sort();
  }
}

/** Must be called before the first route is added. */
export function collectRoutes(fastify: FastifyInstance): Routes {
  const routes = new Routes();
  fastify.addHook('onRoute', ({ url, method }) => routes.add(url, [method].flat()));
  return routes;
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => (segment.startsWith(':') ? given[index] !== '' : segment === given[index]))
  );
}
