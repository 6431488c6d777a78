import type { ErrorClass } from '../config/app-config.js';
import { assertNever } from '../domain/assert-never.js';
import { noEvidence, type CallOutcome, type Evidence } from '../domain/call-outcome.js';
import { parseHttpDate, retryAfterMs } from '../domain/retry-after.js';
import { readAnswerBody, type AnswerBody } from './answer-body.js';
import { headerOf, type Answer, type Failure } from './answer.js';
import { classOfCode, type CodeClass } from './error-codes.js';
import { safeText } from './safe-text.js';
import type { FailedOutcome } from './scan-tasks.js';
import { parseThrottle } from './throttle.js';

export interface ClassifyContext {
  /** Clusters that the call would have scanned; null: all failed ones of the task, however many; 0: it only reads. */
  readonly clusters: number | null;
  readonly errorClasses: ReadonlyMap<string, ErrorClass>;
  /** Whatever must not show up in evidence, should the upstream quote it. */
  readonly secrets: readonly string[];
}

export const MAX_ERROR_TEXT = 500;
const MAX_ERROR_CODE = 64;
const MAX_REQUEST_ID = 128;

/** An answer, of which at least the status line was read. */
export function classifyAnswer(answer: Answer, context: ClassifyContext): CallOutcome {
  const body = readAnswerBody(answer.body);
  const evidence = evidenceOf(answer, body, context.secrets);
  if (answer.cut === 'timeout') return { kind: 'unknown', cause: 'timeout', evidence };
  if (answer.cut === 'reset') return { kind: 'unknown', cause: 'truncated', evidence };
  if (answer.status >= 200 && answer.status < 300) return classifySuccess(answer, body, evidence);
  const configured = body.code === null ? undefined : context.errorClasses.get(body.code);
  return configured ? asConfigured(configured, evidence) : classifyError(answer, body, evidence, context);
}

/** Nothing was read. The hook decides what that means, and an error code never does: a reset can come before and after the start. */
export function classifyFailure(failure: Failure, secrets: readonly string[]): FailedOutcome {
  const evidence: Evidence = {
    ...noEvidence,
    errorCode: failure.code === null ? null : safeText(failure.code, secrets, MAX_ERROR_CODE),
    errorText: safeText(failure.message, secrets, MAX_ERROR_TEXT),
  };
  if (failure.started) return { kind: 'unknown', cause: causeOf(failure), evidence };
  if (!failure.timedOut && isEndpointFailure(failure.code)) return { kind: 'blocked', by: 'endpoint', evidence };
  return { kind: 'not_sent', cause: 'connect', evidence };
}

/** A body that was not read to its end may have ended in an error code. */
function classifySuccess(answer: Answer, body: AnswerBody, evidence: Evidence): CallOutcome {
  if (answer.cut === 'too_long') return { kind: 'unknown', cause: 'truncated', evidence };
  if (body.code !== null) return { kind: 'unknown', cause: 'contradiction', evidence };
  return { kind: 'accepted', evidence };
}

function classifyError(answer: Answer, body: AnswerBody, evidence: Evidence, context: ClassifyContext): CallOutcome {
  const codeClass = classOfCode(body.code);
  if (codeClass === 'throttled' || answer.status === 429) return throttled(answer, body, evidence);
  if (codeClass === 'unreached') return { kind: 'unavailable', costsAttempt: false, slow: false, evidence };
  // Whatever code a server error carries, the work may have been done before it went wrong.
  if (mayHaveBeenCarriedOut(answer.status)) return { kind: 'unknown', cause: 'gateway', evidence };
  return byCode(codeClass, answer.status, evidence, context) ?? byStatus(answer.status, evidence);
}

/** Null where the status decides. */
function byCode(
  codeClass: CodeClass,
  status: number,
  evidence: Evidence,
  context: ClassifyContext,
): CallOutcome | null {
  switch (codeClass) {
    case 'invalid':
      return { kind: 'rejected', blames: 'cluster', alarm: false, evidence };
    case 'refused':
    case 'forbidden':
      return { kind: 'rejected', blames: 'task', alarm: codeClass === 'forbidden', evidence };
    case 'agentOffline':
    case 'agentFailed':
      if (context.clusters === null || context.clusters > 1) return { kind: 'unknown', cause: 'partial', evidence };
      return { kind: 'unavailable', costsAttempt: true, slow: codeClass === 'agentOffline', evidence };
    case 'authentication':
      return { kind: 'blocked', by: 'authentication', evidence };
    case 'endpoint':
      return { kind: 'blocked', by: 'endpoint', evidence };
    case 'otherHss':
      return isOfEndpoint(status) ? null : { kind: 'rejected', blames: 'cluster', alarm: false, evidence };
    case 'otherGateway':
      // The gateway turned it away for a reason that we do not know; rejecting the targets for that could not be undone.
      return status === 401 ? null : { kind: 'blocked', by: 'endpoint', evidence };
    case 'badRequest':
    case 'none':
    case 'throttled':
    case 'unreached':
      return null;
    default:
      return assertNever(codeClass);
  }
}

function byStatus(status: number, evidence: Evidence): CallOutcome {
  if (status === 401) return { kind: 'blocked', by: 'authentication', evidence };
  if (isOfEndpoint(status)) return { kind: 'blocked', by: 'endpoint', evidence };
  // A request that nobody can read is a fault of ours. It ends this task's targets only: a blocked lane would stop all others too.
  return { kind: 'rejected', blames: 'task', alarm: true, evidence };
}

/** 408 and 499 are a gateway's word for a time-out of its own. */
function mayHaveBeenCarriedOut(status: number): boolean {
  return status >= 500 || status < 200 || status === 408 || status === 499;
}

/**
 * A redirect is never followed, since it could carry the credential and the work to another host. HSS sends none, so whoever did
 * (a proxy, a login page, a wrong host) stands before it: the endpoint is wrong.
 */
function isOfEndpoint(status: number): boolean {
  return (status >= 300 && status < 400) || [401, 402, 403, 404, 405, 407, 421, 426, 451].includes(status);
}

function throttled(answer: Answer, body: AnswerBody, evidence: Evidence): CallOutcome {
  const serverDate = parseHttpDate(headerOf(answer.headers, 'date'));
  const retryAfter = retryAfterMs(headerOf(answer.headers, 'retry-after'), serverDate);
  return { kind: 'throttled', ...parseThrottle(body.text), retryAfterMs: retryAfter, evidence };
}

/** The operator's word on a code stands above the table. */
function asConfigured(errorClass: ErrorClass, evidence: Evidence): CallOutcome {
  switch (errorClass) {
    case 'rejected_cluster':
      return { kind: 'rejected', blames: 'cluster', alarm: false, evidence };
    case 'rejected_task':
      return { kind: 'rejected', blames: 'task', alarm: false, evidence };
    case 'unavailable':
      return { kind: 'unavailable', costsAttempt: true, slow: false, evidence };
    case 'blocked':
      return { kind: 'blocked', by: 'endpoint', evidence };
    case 'unknown':
      return { kind: 'unknown', cause: 'partial', evidence };
    default:
      return assertNever(errorClass);
  }
}

export function evidenceOf(answer: Answer, body: AnswerBody, secrets: readonly string[]): Evidence {
  const requestId =
    headerOf(answer.headers, 'x-request-id') ?? headerOf(answer.headers, 'x-iam-trace-id') ?? body.requestId;
  return {
    httpStatus: answer.status,
    errorCode: body.code === null ? null : safeText(body.code, secrets, MAX_ERROR_CODE),
    errorText: safeText(body.text, secrets, MAX_ERROR_TEXT),
    upstreamRequestId: requestId === null ? null : safeText(requestId, secrets, MAX_REQUEST_ID),
  };
}

function causeOf(failure: Failure): 'timeout' | 'truncated' | 'reset' {
  if (failure.timedOut) return 'timeout';
  // Something answered, and it could not be read: headers past the bound, or no HTTP.
  return /^(UND_ERR_HEADERS_OVERFLOW$|HPE_|HTTPParserError$)/.test(failure.code ?? '') ? 'truncated' : 'reset';
}

const DNS_CODES = ['ENOTFOUND', 'ENODATA'];
const TLS_CODE =
  /^(ERR_(TLS|SSL|OSSL)_|EPROTO$|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_C|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH)/;

function isEndpointFailure(code: string | null): boolean {
  return code !== null && (DNS_CODES.includes(code) || code.startsWith('EAI_') || TLS_CODE.test(code));
}
