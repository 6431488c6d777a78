import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ADMIN_PREFIX, administer } from './admin.js';
import { type Answer, errorAnswer } from './answers.js';
import type { Controls } from './controls.js';
import { deliver } from './delivery.js';
import { handle } from './gateway.js';

/** Tokens of 32,768 characters do not fit into Node's default of 16 KiB. */
const MAX_HEADER_BYTES = 65_536;
const MAX_BODY_BYTES = 12 * 1_024 * 1_024;

export function createSimulatorServer(controls: Controls): Server {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 60_000 }, (request, response) => {
    serve(controls, request, response).catch((error: unknown) => {
      // A caller that hung up in mid-request is no news; anything else is a bug of the simulator and must be seen.
      if (!request.destroyed) console.error('simulator:', error);
      request.socket.destroy();
    });
  });
  server.on('clientError', refuseMalformed);
  return server;
}

async function serve(controls: Controls, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const world = controls.world();
  const at = world.now();
  const { method = 'GET', url = '/' } = request;
  const cut = url.includes('?') ? url.indexOf('?') : url.length;
  const [path, query] = [url.slice(0, cut), url.slice(cut + 1)];
  const body = await readAll(request);
  if (path.startsWith(ADMIN_PREFIX)) {
    const call = { query: new URLSearchParams(query), body: body?.toString('utf8') ?? '' };
    return send(response, administer(controls, method, path, call));
  }
  if (!body)
    return send(response, errorAnswer({ status: 413, code: 'APIGW.0201', message: 'Request entity too large' }, ''));
  const remoteAddress = request.socket.remoteAddress ?? '';
  const handled = await handle(world, { at, method, path, query, headers: request.headers, remoteAddress, body });
  await deliver(handled, request, response, world.now());
}

/** Null when it is too large; it is read to its end all the same, so that the answer can be read. */
async function readAll(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size <= MAX_BODY_BYTES ? Buffer.concat(chunks) : null;
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

/** The gateway's own status for headers that are too large is 494. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '494 Request Header Too Large' : '400 Bad Request';
  const { body } = errorAnswer({ status: 400, code: 'APIGW.0201' }, '');
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
