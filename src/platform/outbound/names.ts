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
 * likes: what others depend on must not wait behind the names that callers gave us. Of these places a caller has one at a
 * time, so that one whose names are slow keeps no other waiting.
 */
const MOST_AT_ONCE = 2;

const systemLookup: Lookup = (name) => lookup(name, { all: true });

/** A lookup that is wanted: where its server is dead it takes one place, however many wait for it. */
interface Asked {
  readonly waiting: Set<{ readonly caller: string }>;
  readonly answer: Promise<readonly ResolvedAddress[]>;
  readonly start: () => void;
  /** The caller whose place it has. */
  startedFor: string | null;
}

/** Resolves names that somebody gave us, a few at a time. */
export class Names {
  /** By name, in the order in which they were asked for. */
  private readonly asked = new Map<string, Asked>();

  constructor(private readonly lookup: Lookup = systemLookup) {}

  /** @throws what the resolver says; the reason of the signal, where that comes first */
  async resolve(host: string, caller: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    const family = isIP(host);
    if (family > 0) return [{ address: host, family }];
    signal.throwIfAborted();
    const asked = this.asked.get(host) ?? this.ask(host);
    const waiter = { caller };
    asked.waiting.add(waiter);
    this.startNext();
    try {
      return await within(signal, asked.answer);
    } finally {
      asked.waiting.delete(waiter);
      if (asked.startedFor === null && asked.waiting.size === 0) this.asked.delete(host);
    }
  }

  private ask(host: string): Asked {
    let start = (): void => undefined;
    const answer = new Promise<readonly ResolvedAddress[]>((resolve, reject) => {
      start = () =>
        void this.lookup(host)
          .then(resolve, reject)
          .finally(() => this.end(host));
    });
    const asked: Asked = { waiting: new Set(), answer, start, startedFor: null };
    this.asked.set(host, asked);
    return asked;
  }

  /** The place stays taken until the resolver is done, whoever has gone away meanwhile. */
  private end(host: string): void {
    this.asked.delete(host);
    this.startNext();
  }

  private startNext(): void {
    const busy = new Set([...this.asked.values()].flatMap(({ startedFor }) => startedFor ?? []));
    for (const asked of this.asked.values()) {
      if (busy.size >= MOST_AT_ONCE) return;
      if (asked.startedFor !== null) continue;
      const next = [...asked.waiting].find(({ caller }) => !busy.has(caller));
      if (!next) continue;
      asked.startedFor = next.caller;
      busy.add(next.caller);
      asked.start();
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
