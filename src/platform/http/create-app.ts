import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { DynamicModule, LoggerService, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpLog } from './http-log.js';
import { BODY_LIMIT_BYTES, useStrictJson } from './json-body.js';
import { answerError, ProblemFilter, type OnProblem } from './problem-filter.js';
import { RawProblems } from './raw-problem.js';
import { guardRequests } from './request-guard.js';
import { ValidDtoPipe } from './validation.js';

const MAX_HEADER_BYTES = 16 * 1024;
/** 16 MiB at 300 KB/s. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface HttpAppOptions {
  /** Faults of the service itself (5xx) go here, with the stack and the request's id. */
  readonly log: HttpLog;
  readonly onProblem?: OnProblem;
  /** Nest's own lines: start-up and shutdown. Off where none is given. */
  readonly nestLogger?: LoggerService;
  /** How long a shutdown waits for requests that are being answered, before it cuts them off. */
  readonly drainMs?: number;
}

/** The HTTP side of the service, complete but for its routes' module: neither initialised nor listening yet. */
export async function createHttpApp(
  module: Type | DynamicModule,
  options: HttpAppOptions,
): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter(options), {
    bodyParser: false,
    abortOnError: false,
    logger: options.nestLogger ?? false,
  });
  app.useGlobalFilters(new ProblemFilter(options.log, options.onProblem ?? (() => undefined)));
  app.useGlobalPipes(new ValidDtoPipe());
  return app;
}

function createAdapter({ log, drainMs = 5_000 }: HttpAppOptions): FastifyAdapter {
  const rawProblems = new RawProblems();
  const adapter = new FastifyAdapter({
    // Never guessed from headers that anyone can send; a proxy's word is not needed for anything here.
    trustProxy: false,
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: requestId,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 2 * REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Fastify's answer would be no problem document; what comes in while the last requests are answered is answered too.
    return503OnClosing: false,
    // A parameter of any length gets to its pipe, which says 404; the limit on the head bounds it.
    routerOptions: { caseSensitive: true, maxParamLength: MAX_HEADER_BYTES },
    // `requireHostHeader` and the too large head: `guardRequests` and `RawProblems` give them a body.
    http: { maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false },
    clientErrorHandler: rawProblems.onClientError,
    // A URL that cannot be decoded never reaches a hook or Nest.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) =>
      answerError(error, request, reply, log),
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  useStrictJson(fastify);
  guardRequests(fastify);
  rawProblems.watch(fastify.server);
  closeSoon(fastify, drainMs);
  return adapter;
}

/** A caller's id is kept where it is short and plain, so that it can be found in both logs. */
function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** Lets requests end, each with the last answer of its connection, and cuts off what is left after `drainMs`. */
function closeSoon(fastify: FastifyInstance, drainMs: number): void {
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    setTimeout(() => fastify.server.closeAllConnections(), drainMs).unref();
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
