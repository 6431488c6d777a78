import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface LinkFault {
  /** Every piece comes so much later, in order. */
  readonly delayMs?: number;
  /** Pieces that vanish while the connection stays: what the client says, what the server says, or both. */
  readonly swallow?: 'up' | 'down' | 'both';
  /** New connections are reset. */
  readonly refuse?: boolean;
  /** A connection is reset once so many bytes of the server's have passed from now on. */
  readonly cutAfterBytes?: number;
  /** What the server says is looked at before it passes; false resets the connection and drops it. */
  readonly mayAnswer?: (chunk: Buffer) => boolean;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  passed: number;
}

/** A TCP proxy between two parts of the system: the network, as far as one of them can see it. */
export class Link {
  fault: LinkFault = {};
  /** Sees everything that the client says. */
  tap: (chunk: Buffer) => void = () => undefined;
  readonly #pairs = new Set<Pair>();

  private constructor(
    private readonly listener: Server,
    private readonly target: { host: string; port: number },
  ) {
    listener.on('connection', (client) => this.#join(client));
  }

  static async to(port: number, host = '127.0.0.1'): Promise<Link> {
    const listener = createServer({ allowHalfOpen: true });
    const link = new Link(listener, { host, port });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return link;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** The same URL, by way of this link. */
  through(url: string): string {
    const parsed = new URL(url);
    parsed.hostname = '127.0.0.1';
    parsed.port = String(this.port);
    return parsed.protocol.startsWith('http') ? parsed.origin : parsed.href;
  }

  /** Resets what is open. */
  reset(): void {
    for (const pair of this.#pairs) this.#tear(pair);
  }

  heal(): void {
    const swallowed = this.fault.swallow !== undefined;
    this.fault = {};
    // Connections that lost a piece could never go on.
    if (swallowed) this.reset();
  }

  async close(): Promise<void> {
    this.reset();
    this.listener.close();
    await once(this.listener, 'close');
  }

  #join(client: Socket): void {
    client.on('error', () => undefined);
    if (this.fault.refuse) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    const pair: Pair = { client, server, passed: 0 };
    this.#pairs.add(pair);
    this.#pipe(pair, client, server, 'up');
    this.#pipe(pair, server, client, 'down');
  }

  #pipe(pair: Pair, from: Socket, to: Socket, direction: 'up' | 'down'): void {
    let queue = Promise.resolve();
    const later = (work: () => void): void => {
      const { delayMs = 0 } = this.fault;
      if (delayMs === 0) {
        queue = queue.then(work);
        return;
      }
      const waited = new Promise<void>((resolve) => setTimeout(resolve, delayMs));
      queue = queue.then(() => waited).then(work);
    };
    from.on('data', (chunk: Buffer) => {
      if (direction === 'up') this.tap(chunk);
      if (this.#swallows(direction)) return;
      if (direction === 'down' && !this.#passes(pair, chunk)) return this.#tear(pair);
      later(() => to.writable && to.write(chunk));
    });
    from.on('end', () => later(() => to.end()));
    from.on('error', () => this.#tear(pair));
    from.on('close', (hadError) => {
      this.#pairs.delete(pair);
      // A reset goes on at once, and takes with it what was still on its way.
      if (hadError || !from.readableEnded) this.#tear(pair);
    });
  }

  #swallows(direction: 'up' | 'down'): boolean {
    return this.fault.swallow === 'both' || this.fault.swallow === direction;
  }

  #passes(pair: Pair, chunk: Buffer): boolean {
    const { cutAfterBytes, mayAnswer } = this.fault;
    if (mayAnswer && !mayAnswer(chunk)) return false;
    pair.passed += cutAfterBytes === undefined ? 0 : chunk.length;
    return cutAfterBytes === undefined || pair.passed <= cutAfterBytes;
  }

  #tear(pair: Pair): void {
    this.#pairs.delete(pair);
    for (const socket of [pair.client, pair.server]) if (!socket.destroyed) socket.resetAndDestroy();
  }
}
