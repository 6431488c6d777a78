import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { certificate, privateKey } from '../../support/loopback-certificate.js';

/** Called with each whole request, head and body as they came. */
export type Answerer = (socket: Socket | TLSSocket, request: string, count: number) => void;

export interface RawServer {
  readonly port: number;
  /** Whole requests, in the order of their arrival. */
  readonly requests: readonly string[];
  /** Connections and bytes (decrypted ones, under TLS) that ever arrived. */
  readonly connections: () => number;
  readonly bytes: () => number;
  /** How the first connection ended: `ECONNRESET`, or `closed` for an orderly end. */
  readonly ended: Promise<string>;
  readonly close: () => Promise<void>;
}

export interface RawServerOptions {
  readonly tls?: boolean;
  /** Called with each new connection, before anything is read. */
  readonly onConnection?: (socket: Socket | TLSSocket) => void;
}

/** A server of our own making, down to the byte: it can answer what no HTTP server would. */
export async function rawServer(answer: Answerer, options: RawServerOptions = {}): Promise<RawServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let bytes = 0;
  let connections = 0;
  let end: (how: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => (end = resolve));
  const accept = (socket: Socket | TLSSocket): void => {
    connections += 1;
    sockets.add(socket);
    let text = '';
    let failure = 'closed';
    socket.on('error', (error) => (failure = 'code' in error ? String(error.code) : error.message));
    socket.on('close', () => end(failure));
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      text += chunk.toString('latin1');
      const whole = wholeRequest(text);
      if (whole === null) return;
      text = '';
      requests.push(whole);
      answer(socket, whole, requests.length);
    });
    options.onConnection?.(socket);
  };
  const server: Server = options.tls
    ? createTlsServer({ cert: certificate, key: privateKey }, accept).on('tlsClientError', () => end('no handshake'))
    : createServer(accept);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    connections: () => connections,
    bytes: () => bytes,
    ended,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function wholeRequest(text: string): string | null {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, headEnd))?.[1] ?? 0);
  return text.length >= headEnd + 4 + length ? text : null;
}

/** An answer as bytes, with its length. */
export function http(status: string, headers: Readonly<Record<string, string>> = {}, body = ''): string {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`;
}

/** The value of a header in a request as it came. */
export function headerIn(request: string | undefined, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*?)\\r?$`, 'im').exec(request ?? '')?.[1];
}
