import { createServer as createHttpServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { certificate, privateKey } from './loopback-certificate.js';

export interface Received {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
  /** What was answered, once that is out. */
  status: number | null;
}

/** How a receiver answers a callback, given what it got; it may also keep silent. */
export type Reply = (response: ServerResponse, received: Received) => void;

export const replies = {
  status:
    (status: number, headers: Record<string, string> = {}): Reply =>
    (response) =>
      void response.writeHead(status, headers).end(),
  silence: (): Reply => () => undefined,
  reset: (): Reply => (response) => void response.socket?.resetAndDestroy(),
} as const;

/** Somebody who is told of the ends of requests: a server of its own, which keeps all that it got. */
export class Receiver {
  readonly received: Received[] = [];
  connections = 0;
  /** For what comes next, first of all. */
  private readonly planned: Reply[] = [];

  private constructor(
    private readonly server: Server & { closeAllConnections(): void },
    private readonly scheme: 'http' | 'https',
    public reply: Reply,
  ) {}

  static async open({
    tls = false,
    reply = replies.status(204),
    port = 0,
  }: { tls?: boolean; reply?: Reply; port?: number } = {}): Promise<Receiver> {
    const server = tls ? createHttpsServer({ cert: certificate, key: privateKey }) : createHttpServer();
    const receiver = new Receiver(server, tls ? 'https' : 'http', reply);
    server.on('connection', () => (receiver.connections += 1));
    server.on('request', (request, response) => {
      void text(request).then((body) => {
        const { method = '', url = '', headers } = request;
        const received: Received = { method, path: url, headers, body, at: Date.now(), status: null };
        response.on('finish', () => (received.status = response.statusCode));
        receiver.received.push(received);
        (receiver.planned.shift() ?? receiver.reply)(response, received);
      });
    });
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  url(path = '/told', host = '127.0.0.1'): string {
    return `${this.scheme}://${host}:${this.port}${path}`;
  }

  /** One reply for each of the next callbacks. */
  nextAre(...next: Reply[]): void {
    this.planned.push(...next);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
