import { Client, type buildConnector, type Dispatcher } from 'undici';
import type { Answer, AnswerHeaders, BodyCut, Failure } from './answer.js';
import { Connection, type TlsTrust } from './connection.js';

/** A token may take 32,768 characters of an answer's headers; undici's own bound is 16 KiB. */
const MAX_HEADER_BYTES = 65_536;
/** Error bodies are short, and so is a result that says "done". What is longer says nothing more and would cost memory. */
export const SHORT_BODY_BYTES = 65_536;

export interface WireRequest {
  readonly origin: string;
  readonly method: 'PUT' | 'POST';
  /** With its query, encoded: sent as it stands. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** One deadline for connecting, sending and reading. */
  readonly timeoutMs: number;
  readonly trust: TlsTrust;
  /** Of the body of a 2xx; of any other, `SHORT_BODY_BYTES` are read. */
  readonly maxResultBytes: number;
  /** Asked once the connection stands: making one may take seconds, in which somebody cancels. Null: nothing can hold it. */
  readonly mayLeave: (() => Promise<boolean>) | null;
  /** Asked in the tick in which the first byte is written. */
  readonly mayStart: () => boolean;
  /** Drops the request: as long as it has not started, or at any moment, where it may be carried out without harm. */
  readonly signal: AbortSignal;
  readonly droppable: 'unsent' | 'always';
  /** Ends the request whatever it is at: as if the connection had been lost. */
  readonly cutOff: AbortSignal;
}

/** `durationMs` is monotonic, from the start of the request. */
export type Exchange =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly durationMs: number | null }
  /** Nothing was sent, unless the request was always droppable. */
  | { readonly kind: 'dropped'; readonly by: 'held' | 'lease' | 'shutdown' };

/**
 * One request on a connection of its own, which ends with it: a kept one may be stale, and whether a request on it was carried out
 * cannot be known. Never throws for the network, follows no redirect, repeats nothing.
 */
export function exchange(request: WireRequest): Promise<Exchange> {
  return new Promise((resolve) => new RunningExchange(request, resolve).run());
}

class RunningExchange implements Dispatcher.DispatchHandler {
  readonly #connection: Connection;
  readonly #client: Client;
  readonly #chunks: Buffer[] = [];
  #bodyBytes = 0;
  #startedAt: number | null = null;
  #status: number | null = null;
  #headers: AnswerHeaders = {};
  #deadline: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    private readonly request: WireRequest,
    private readonly resolve: (exchange: Exchange) => void,
  ) {
    this.#connection = new Connection(request.trust);
    this.#client = new Client(request.origin, {
      pipelining: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The deadline below covers both; undici's own would be renewed by each byte of an endless body.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: this.#connect,
    });
  }

  run(): void {
    const { signal, method, path, headers, body, timeoutMs } = this.request;
    if (signal.aborted) return this.#end({ kind: 'dropped', by: 'shutdown' });
    signal.addEventListener('abort', this.#drop);
    this.request.cutOff.addEventListener('abort', this.#cut);
    this.#deadline = setTimeout(() => this.#fail('timeout', null, `no answer within ${timeoutMs} ms`), timeoutMs);
    this.#client.dispatch({ method, path, headers, body }, this);
  }

  readonly #connect: buildConnector.connector = (options, callback) => {
    this.#connection.connect(options, (error, socket) => {
      if (error) callback(error, null);
      else void this.#confirm().then((problem) => (problem ? callback(problem, null) : callback(null, socket)));
    });
  };

  async #confirm(): Promise<Error | null> {
    const { mayLeave } = this.request;
    if (mayLeave === null || (await mayLeave())) return null;
    this.#end({ kind: 'dropped', by: 'held' });
    return new Error('held before its start');
  }

  /** The proof of sending: undici writes in this tick, after this returns, and an abort in here writes nothing. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (!this.#ended && this.request.mayStart()) {
      this.#startedAt = performance.now();
      return;
    }
    this.#end({ kind: 'dropped', by: 'lease' });
    controller.abort(new Error('dropped before its start'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    // An interim answer (103) is not yet one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    const room = this.#maxBodyBytes() - this.#bodyBytes;
    this.#chunks.push(Buffer.from(chunk.subarray(0, room)));
    this.#bodyBytes += Math.min(chunk.length, room);
    if (chunk.length > room) this.#endAnswer('too_long');
  }

  onResponseEnd(): void {
    this.#endAnswer(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail('error', codeOf(error), error.message);
  }

  readonly #drop = (): void => {
    if (this.#startedAt === null || this.request.droppable === 'always') this.#end({ kind: 'dropped', by: 'shutdown' });
  };

  readonly #cut = (): void => this.#fail('error', null, 'cut off: the service stops');

  #fail(reason: 'timeout' | 'error', code: string | null, message: string): void {
    const timedOut = reason === 'timeout';
    if (this.#status !== null) return this.#endAnswer(timedOut ? 'timeout' : 'reset');
    const failure: Failure = { started: this.#startedAt !== null, timedOut, code, message };
    this.#end({ kind: 'failed', failure, durationMs: this.#durationMs() });
  }

  #endAnswer(cut: BodyCut | null): void {
    const body = Buffer.concat(this.#chunks).toString('utf8');
    const answer: Answer = { status: this.#status ?? 0, headers: this.#headers, body, cut };
    this.#end({ kind: 'answered', answer, durationMs: this.#durationMs() ?? 0 });
  }

  /** The first end counts: tearing the connection down brings errors of its own. */
  #end(exchange: Exchange): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.request.signal.removeEventListener('abort', this.#drop);
    this.request.cutOff.removeEventListener('abort', this.#cut);
    // Not in here: undici may be in the middle of writing or parsing.
    queueMicrotask(() => {
      const isWhole = exchange.kind === 'answered' && exchange.answer.cut === null;
      if (isWhole) this.#connection.close();
      else this.#connection.reset();
      this.#client.destroy(() => undefined);
      this.resolve(exchange);
    });
  }

  #maxBodyBytes(): number {
    const isResult = this.#status !== null && this.#status < 300;
    return isResult ? this.request.maxResultBytes : SHORT_BODY_BYTES;
  }

  #durationMs(): number | null {
    return this.#startedAt === null ? null : Math.round(performance.now() - this.#startedAt);
  }
}

/** By shape: what Node throws is no `Error` of this realm under Jest. Some of undici's errors have a name only. */
function codeOf(error: Error): string | null {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.name === 'Error' ? null : error.name;
}
