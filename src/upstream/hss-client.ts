import { setMaxListeners } from 'node:events';
import type { CredentialConfig, ErrorClass } from '../config/app-config.js';
import { noEvidence } from '../domain/call-outcome.js';
import { parseHttpDate } from '../domain/retry-after.js';
import { headerOf, type Answer } from './answer.js';
import { classifyAnswer, classifyFailure, type ClassifyContext } from './classify.js';
import { exchange, SHORT_BODY_BYTES, type Exchange, type WireRequest } from './exchange.js';
import { commonHeaders, hssRequest } from './hss-request.js';
import { readToken, TOKEN_PATH, tokenRequestBody, type PasswordAuth } from './iam.js';
import { clusterScans, readList, taskSummaries } from './list-page.js';
import { listTaskResources, listTasks, retryTask, type HssOperation } from './operations.js';
import {
  ScanTasks,
  type CallAnswer,
  type ClusterScan,
  type FailedOutcome,
  type ListAnswer,
  type ResourceQuery,
  type RetryAnswer,
  type RetryCall,
  type TaskQuery,
  type TaskSummary,
  type UpstreamCall,
} from './scan-tasks.js';
import { TokenSource, type TokenResult } from './token-source.js';

export interface HssClientOptions {
  /** Certificate authorities (PEM) to trust instead of Node's own. */
  readonly ca?: string;
}

interface Endpoint {
  readonly config: CredentialConfig;
  /** Null for a credential that signs. */
  readonly tokens: TokenSource | null;
}

/** What the answer to an operation comes to. */
type AnswerReader<Outcome> = (answer: Answer, context: ClassifyContext) => Outcome;

/** HSS over HTTP/1.1, one connection a call. Every answer and every transport error is one outcome. */
export class HssClient extends ScanTasks {
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #cuttingOff = new AbortController();

  constructor(
    credentials: readonly CredentialConfig[],
    private readonly errorClasses: ReadonlyMap<string, ErrorClass>,
    private readonly options: HssClientOptions = {},
  ) {
    super();
    this.#endpoints = new Map(credentials.map((config) => [config.name, { config, tokens: this.#tokensOf(config) }]));
    // One listener a running call; Node would warn of a leak after ten.
    setMaxListeners(0, this.#closing.signal, this.#cuttingOff.signal);
  }

  retry(call: RetryCall): Promise<RetryAnswer> {
    return this.#call(call, retryTask(call), classifyAnswer);
  }

  listTaskResources(query: ResourceQuery): Promise<ListAnswer<ClusterScan>> {
    return this.#call(query, listTaskResources(query), (answer, context) =>
      readList(answer, context, query, clusterScans),
    );
  }

  listTasks(query: TaskQuery): Promise<ListAnswer<TaskSummary>> {
    return this.#call(query, listTasks(query), (answer, context) => readList(answer, context, query, taskSummaries));
  }

  renewCredential(credential: string): void {
    this.#endpoints.get(credential)?.tokens?.forget();
  }

  async close(graceMs: number): Promise<void> {
    this.#closing.abort();
    const cutOff = setTimeout(() => this.#cuttingOff.abort(), graceMs);
    await Promise.allSettled(this.#running);
    clearTimeout(cutOff);
  }

  /** Known to `close` for as long as it runs. */
  async #call<Outcome>(
    call: UpstreamCall,
    operation: HssOperation | null,
    read: AnswerReader<Outcome>,
  ): Promise<CallAnswer<Outcome | FailedOutcome>> {
    const running = this.#send(call, operation, read);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #send<Outcome>(
    call: UpstreamCall,
    operation: HssOperation | null,
    read: AnswerReader<Outcome>,
  ): Promise<CallAnswer<Outcome | FailedOutcome>> {
    const endpoint = this.#endpoints.get(call.credential);
    if (!endpoint)
      return unsent({ kind: 'blocked', by: 'endpoint', evidence: says('no such credential is configured') });
    // A value and not an error: thrown, it would leave the call `sending`, to be looked up and sent again for ever.
    if (!operation)
      return unsent({ kind: 'rejected', blames: 'task', alarm: true, evidence: says('malformed id or page') });

    const token = endpoint.tokens ? await endpoint.tokens.get(call.projectId, call.at) : null;
    if (token?.kind === 'none') return unsent(token.outcome);

    const { config } = endpoint;
    const { method, body, maxResultBytes, clusters } = operation;
    const { target, headers, secrets } = hssRequest(operation, call, config, token?.token.value ?? null);
    const exchanged = await exchange({
      ...this.#wire(config),
      origin: config.hssUrl,
      method,
      path: target,
      headers,
      body,
      maxResultBytes,
      mayLeave: call.mayLeave ?? null,
      mayStart: call.mayStart,
      // A list as well: cut off in the middle it has spent its slot all the same, and its answer may be the verdict waited for.
      droppable: 'unsent',
    });
    return answerOf(exchanged, { clusters, errorClasses: this.errorClasses, secrets }, read);
  }

  #tokensOf(config: CredentialConfig): TokenSource | null {
    const { auth } = config;
    if (auth.kind !== 'password') return null;
    return new TokenSource((projectId, at) => this.#fetchToken(config, auth, projectId, at));
  }

  async #fetchToken(config: CredentialConfig, auth: PasswordAuth, projectId: string, at: Date): Promise<TokenResult> {
    const exchanged = await exchange({
      ...this.#wire(config),
      origin: config.iamUrl,
      method: 'POST',
      path: TOKEN_PATH,
      headers: commonHeaders,
      body: tokenRequestBody(auth, projectId),
      maxResultBytes: SHORT_BODY_BYTES,
      mayLeave: null,
      mayStart: () => true,
      droppable: 'always',
    });
    return readToken(exchanged, auth, at);
  }

  #wire({ timeoutMs }: CredentialConfig): Pick<WireRequest, 'timeoutMs' | 'trust' | 'signal' | 'cutOff'> {
    const trust = { ca: this.options.ca ?? null };
    return { timeoutMs, trust, signal: this.#closing.signal, cutOff: this.#cuttingOff.signal };
  }
}

function answerOf<Outcome>(
  exchanged: Exchange,
  context: ClassifyContext,
  read: AnswerReader<Outcome>,
): CallAnswer<Outcome | FailedOutcome> {
  switch (exchanged.kind) {
    case 'dropped':
      return unsent({ kind: 'not_sent', cause: exchanged.by, evidence: noEvidence });
    case 'failed': {
      const { failure, durationMs } = exchanged;
      return {
        outcome: classifyFailure(failure, context.secrets),
        sent: failure.started,
        durationMs,
        serverDate: null,
      };
    }
    case 'answered': {
      const { answer, durationMs } = exchanged;
      const serverDate = parseHttpDate(headerOf(answer.headers, 'date'));
      return { outcome: read(answer, context), sent: true, durationMs, serverDate };
    }
  }
}

function unsent(outcome: FailedOutcome): CallAnswer<FailedOutcome> {
  return { outcome, sent: false, durationMs: null, serverDate: null };
}

function says(errorText: string): typeof noEvidence {
  return { ...noEvidence, errorText };
}
