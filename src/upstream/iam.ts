import type { CredentialAuth } from '../config/app-config.js';
import { noEvidence, type CallOutcome } from '../domain/call-outcome.js';
import { headerOf, type Answer } from './answer.js';
import { classifyAnswer, classifyFailure, type ClassifyContext } from './classify.js';
import type { Exchange } from './exchange.js';
import type { FailedOutcome } from './scan-tasks.js';
import type { Token, TokenResult } from './token-source.js';

export const TOKEN_PATH = '/v3/auth/tokens?nocatalog=true';

/** Where an answer does not say how long its token lives. */
const ASSUMED_LIFE_MS = 60 * 60_000;

/** What a header can carry; anything else would fail in the client, call after call. */
const TOKEN = /^[\x21-\x7E]{1,32768}$/;

export type PasswordAuth = Extract<CredentialAuth, { kind: 'password' }>;

export function tokenRequestBody(auth: PasswordAuth, projectId: string): string {
  const user = { name: auth.userName, password: auth.password.reveal(), domain: { name: auth.domainName } };
  const identity = { methods: ['password'], password: { user } };
  return JSON.stringify({ auth: { identity, scope: { project: { id: projectId } } } });
}

/** @param at the upstream's clock, for a token that does not say when it ends. */
export function readToken(exchange: Exchange, auth: PasswordAuth, at: Date): TokenResult {
  const secrets = [auth.password.reveal()];
  switch (exchange.kind) {
    case 'dropped':
      return none({ kind: 'not_sent', cause: 'shutdown', evidence: noEvidence });
    case 'failed':
      return none(noToken(classifyFailure(exchange.failure, secrets)));
    case 'answered': {
      const token = exchange.answer.status === 201 ? tokenOf(exchange.answer, at) : null;
      return token ? { kind: 'token', token } : none(refusal(exchange.answer, secrets));
    }
  }
}

/** Only a refused password says something about the credential; all else is IAM's own trouble, and passes. */
function refusal(answer: Answer, secrets: readonly string[]): FailedOutcome {
  const context: ClassifyContext = { clusters: null, errorClasses: new Map(), secrets };
  const outcome = classifyAnswer(answer, context);
  const isRefused = (answer.status === 401 || answer.status === 403) && outcome.kind !== 'throttled';
  return isRefused ? { kind: 'blocked', by: 'authentication', evidence: outcome.evidence } : noToken(outcome);
}

/** IAM's answer is the evidence, but it says nothing about the call: that one never left. */
function noToken(outcome: CallOutcome): FailedOutcome {
  return { kind: 'not_sent', cause: 'token', evidence: outcome.evidence };
}

function tokenOf(answer: Answer, at: Date): Token | null {
  const value = headerOf(answer.headers, 'x-subject-token');
  if (value === null || !TOKEN.test(value)) return null;
  return { value, expiresAt: expiryOf(answer.body) ?? new Date(at.getTime() + ASSUMED_LIFE_MS) };
}

function expiryOf(body: string): Date | null {
  const text = /"expires_at"\s*:\s*"([^"]{1,40})"/.exec(body)?.[1];
  const expiresAt = new Date(text ?? '');
  return Number.isNaN(expiresAt.getTime()) ? null : expiresAt;
}

function none(outcome: FailedOutcome): TokenResult {
  return { kind: 'none', outcome };
}
