import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { DomainError } from '../../domain/domain-error.js';
import { commonHeaders, problemHeaders, toProblem } from './problem.js';
import { fromStatus } from './public-error.js';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Answers what Node gives up on before there is a request object (not HTTP, too large a head, too slow), and odd requests. */
export class RawProblems {
  /** The last exchange on a socket. */
  readonly #exchanges = new WeakMap<Duplex, Exchange>();

  /** Fastify's `clientErrorHandler`. */
  readonly onClientError = (error: Error & { code?: string }, socket: Duplex): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
    } else if (this.#mayAnswer(socket)) {
      endWith(socket, fromStatus(statusOf(error.code)));
    } else {
      socket.end(() => socket.destroy());
    }
  };

  watch(server: Server): void {
    server.prependListener('request', (request, response) =>
      this.#exchanges.set(request.socket, { request, response }),
    );
    // Node would close the connection without a word.
    server.on('connect', (_request, socket: Duplex) => endWith(socket, fromStatus(405)));
    // Node would refuse it without a body; RFC 9110 10.1.1 lets an expectation that is not known be ignored.
    server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  }

  /** A second answer to one request, or one in front of that to an earlier request, would be taken for something else. */
  #mayAnswer(socket: Duplex): boolean {
    const exchange = this.#exchanges.get(socket);
    if (!exchange) return true;
    const { request, response } = exchange;
    return request.complete ? response.writableFinished : !response.headersSent;
  }
}

function endWith(socket: Duplex, error: DomainError): void {
  socket.end(rawAnswer(error), () => socket.destroy());
}

function statusOf(code = ''): number {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 408;
    case 'HPE_HEADER_OVERFLOW':
      return 431;
    default:
      return 400;
  }
}

function rawAnswer(error: DomainError): string {
  const id = randomUUID();
  const problem = toProblem(error, id);
  const body = JSON.stringify(problem);
  const headers = {
    ...commonHeaders(id),
    ...problemHeaders(error),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${problem.status} ${problem.title}`, ...lines, '', body].join('\r\n');
}
