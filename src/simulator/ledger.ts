import type { IncomingHttpHeaders } from 'node:http';
import type { LedgerPolicy } from './scenario.js';
import type { Operation } from './routing.js';

/** What the caller saw of it. */
export type Reply =
  | {
      readonly kind: 'answered' | 'truncated';
      readonly status: number;
      readonly code: string | null;
      readonly requestId: string;
      readonly at: number;
    }
  | { readonly kind: 'reset' | 'no_answer'; readonly at: number };

/** One request as it arrived. Secrets are taken out of it before it is stored. */
export interface LedgerEntry {
  readonly seq: number;
  /** Arrival on the simulator's clock, in milliseconds. */
  readonly at: number;
  readonly operation: Operation | null;
  readonly projectId: string | null;
  readonly taskId: string | null;
  readonly method: string;
  /** As it came over the wire, still escaped. */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
  readonly credential: string | null;
  readonly authenticatedBy: 'token' | 'aksk' | null;
  /** Null when bodies are not kept, and for CreateToken, whose body holds a password. */
  readonly body: string | null;
  readonly bodySha256: string | null;
  /** Ids of the fault rules that hit it. */
  readonly faults: readonly string[];
  /** Clusters whose rescan this call started, whatever the caller got to see. */
  readonly clustersTaken: readonly string[];
  /** Null while it is being worked on. */
  readonly reply: Reply | null;
}

export type Entry = { -readonly [K in keyof LedgerEntry]: LedgerEntry[K] };

export interface LedgerFilter {
  /** Only entries with a greater `seq`. */
  readonly since?: number;
  readonly operation?: Operation;
}

export class Ledger {
  private kept: Entry[] = [];
  private lastSeq = 0;

  constructor(private readonly policy: LedgerPolicy) {}

  open(arrival: Omit<Entry, 'seq'>): Entry {
    this.lastSeq += 1;
    const entry = { seq: this.lastSeq, ...arrival };
    this.kept.push(entry);
    // Cutting seldom and much is cheaper than shifting at every call.
    if (this.kept.length > this.policy.maxEntries * 1.25 + 16) this.kept = this.kept.slice(-this.policy.maxEntries);
    return entry;
  }

  keepsBodies(): boolean {
    return this.policy.keepBodies;
  }

  entries({ since = 0, operation }: LedgerFilter = {}): LedgerEntry[] {
    const kept = this.kept.slice(-Math.max(this.policy.maxEntries, 1));
    return kept.filter((entry) => entry.seq > since && (operation === undefined || entry.operation === operation));
  }

  /** Numbers go on: a reader that asks for what came after a number shall not miss anything. */
  clear(): void {
    this.kept = [];
  }
}

const SIGNATURE = /Signature=[0-9a-f]+/;
const SECRET_HEADERS = ['x-auth-token', 'x-security-token', 'cookie', 'x-subject-token'];

/** Keeps which key signed which headers, but no signature, token or cookie. */
export function withoutSecrets(headers: IncomingHttpHeaders): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value.join(', ') : (value ?? '');
    if (SECRET_HEADERS.includes(name)) result[name] = `<${text.length} characters>`;
    else if (name === 'authorization')
      result[name] = SIGNATURE.test(text) ? text.replace(SIGNATURE, 'Signature=<removed>') : '<removed>';
    else result[name] = text;
  }
  return result;
}
