import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/domain-error.js';
import { collectRoutes, type Routes } from './routes.js';
import { takesNoBody } from './no-body.js';
import { commonHeaders } from './problem.js';
import { fromStatus } from './public-error.js';

/** Refuses what can be refused before the body is read, and sets the headers that every answer carries. */
export function guardRequests(fastify: FastifyInstance): void {
  const routes = collectRoutes(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders(request.id));
    done(firstFault(request, reply, routes) ?? undefined);
  });
}

function firstFault(request: FastifyRequest, reply: FastifyReply, routes: Routes): DomainError | null {
  return headFault(request) ?? routeFault(request, reply, routes) ?? bodyFault(request);
}

/** RFC 9112: exactly one Host in HTTP/1.1 (Node can check it, but answers without a body), and chunks or a plain body. */
function headFault({ raw }: FastifyRequest): DomainError | null {
  const hosts = raw.headersDistinct['host']?.length ?? 0;
  if (hosts !== 1 && (hosts !== 0 || raw.httpVersion !== '1.0')) {
    return new DomainError('malformed', 'Send exactly one Host header.');
  }
  if ((raw.headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked') {
    return new DomainError('malformed', 'Send the body plainly, or in chunks.');
  }
  return null;
}

/** Here and not in Fastify's handler for unknown routes, which parses a body first and answers 400 for a bad one. */
function routeFault(request: FastifyRequest, reply: FastifyReply, routes: Routes): DomainError | null {
  if (!request.is404) return null;
  const methods = routes.methodsFor(request.url);
  if (methods.length === 0) return fromStatus(404);
  reply.header('allow', methods.join(', '));
  return fromStatus(405);
}

function bodyFault(request: FastifyRequest): DomainError | null {
  const { headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (takesNoBody(request)) {
    if (hasBody) return new DomainError('malformed', 'This route takes no body. Send none.');
    // Clients set it out of habit, and Fastify would look for a parser of it.
    delete headers['content-type'];
    return null;
  }
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') return fromStatus(415);
  return null;
}
