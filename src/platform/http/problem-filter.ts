import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DomainError } from '../../domain/domain-error.js';
import type { HttpLog } from './http-log.js';
import { commonHeaders, problemHeaders, STATUS, toProblem } from './problem.js';
import { toPublicError } from './public-error.js';

/** Hears of everything that goes wrong on a route, before it is answered. */
export type OnProblem = (error: unknown, request: FastifyRequest) => void;

/** Turns everything that goes wrong in a request into a problem document. Nest sends Fastify's own errors through it too. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: HttpLog,
    private readonly onProblem: OnProblem,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    this.onProblem(error, request);
    answerError(error, request, http.getResponse<FastifyReply>(), this.log);
  }
}

/** Logs what the operator has to know, and answers; for the errors that Fastify does not hand to Nest as well. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: HttpLog): void {
  // The caller broke off in mid-body: nobody is left to answer, and nothing is wrong here.
  if (error === request.raw.errored) return;
  const shown = toPublicError(error);
  logServerFault(error, shown, request, log);
  if (reply.raw.headersSent) {
    // An end would make the half that was sent look like all of it.
    reply.raw.destroy();
    return;
  }
  sendProblem(shown, request, reply);
}

function sendProblem(error: DomainError, request: FastifyRequest, reply: FastifyReply): void {
  // Fastify closes the connection after a refused body.
  reply.removeHeader('connection');
  if (!request.raw.complete) lingerOn(request, reply);
  reply
    .code(STATUS[error.code])
    .headers({ ...commonHeaders(request.id), ...problemHeaders(error) })
    // Bytes: Fastify adds a charset to the type of a text, and JSON has none.
    .send(Buffer.from(JSON.stringify(toProblem(error, request.id))));
}

/**
 * Closing while the caller still sends resets the connection before the answer is read, and Node does so where the caller asked
 * for an end ("Connection: close"). So it stays open, Node drops the rest of the body within the request time-out, and then it ends.
 */
function lingerOn({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (reply.raw.shouldKeepAlive) return;
  reply.raw.shouldKeepAlive = true;
  raw.once('end', () =>
    reply.raw.writableFinished ? raw.socket.end() : reply.raw.once('finish', () => raw.socket.end()),
  );
}

function logServerFault(error: unknown, shown: DomainError, request: FastifyRequest, log: HttpLog): void {
  if (STATUS[shown.code] < 500) return;
  const fields = { err: error, requestId: request.id, method: request.method, route: request.routeOptions.url };
  if (shown.code === 'internal') log.error(fields, 'a request failed');
  else log.warn(fields, 'a request was refused');
}
