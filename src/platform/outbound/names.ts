import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. */
export type Lookup = (name: string) => Promise<readonly ResolvedAddress[]>;

/**
 * Each lookup takes one of the four threads that the whole process has for such work, for as long as a dead name server
 * likes: what others depend on must not wait behind the names that callers gave us.
 */
const MOST_AT_ONCE = 2;

const systemLookup: Lookup = (name) => lookup(name, { all: true });

/** Resolves names that somebody gave us, a few at a time. */
export class Names {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly asked = new Map<string, Promise<readonly ResolvedAddress[]>>();

  constructor(private readonly lookup: Lookup = systemLookup) {}

  /** @throws what the resolver says; the reason of the signal, where that comes first */
  async resolve(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const family = isIP(host);
    return family > 0 ? [{ address: host, family }] : within(signal, this.shared(host, signal));
  }

  /** A name whose server is dead takes one place, however many wait for it. */
  private shared(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const running = this.asked.get(host);
    if (running) return running;
    const asked = this.inTurn(host, signal).finally(() => this.asked.delete(host));
    this.asked.set(host, asked);
    return asked;
  }

  /** The thread stays taken until the resolver is done, whoever has gone away meanwhile. */
  private async inTurn(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    if (this.running < MOST_AT_ONCE) this.running += 1;
    else await new Promise<void>((go) => this.waiting.push(go));
    try {
      signal.throwIfAborted();
      return await this.lookup(host);
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}

async function within<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let over = (): void => undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    over = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', over);
  try {
    return await Promise.race([promise, ended]);
  } finally {
    signal.removeEventListener('abort', over);
  }
}
