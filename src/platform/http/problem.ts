import { STATUS_CODES } from 'node:http';
import type { DomainError, ErrorCode, FieldError } from '../../domain/domain-error.js';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** A new code without a status does not compile. */
export const STATUS = {
  malformed: 400,
  bad_cursor: 400,
  project_not_served: 400,
  deadline_in_past: 400,
  callbacks_not_configured: 400,
  idempotency_key_missing: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing_scope: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  nothing_to_replay: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_key_reused: 422,
  too_many_open_targets: 429,
  too_many_exports: 429,
  headers_too_large: 431,
  internal: 500,
  database_unavailable: 503,
} as const satisfies Record<ErrorCode, number>;

/** RFC 9457 problem details. */
export interface Problem {
  /** A URN: an identifier to compare, which promises no page behind it. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  /** The request's id, as in the `X-Request-Id` header and in the log. */
  readonly instance: string;
  readonly errors?: readonly FieldError[];
}

export function toProblem(error: DomainError, requestId: string): Problem {
  const status = STATUS[error.code];
  return {
    type: `urn:rescan:error:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.detail,
    code: error.code,
    instance: `urn:rescan:request:${requestId}`,
    ...(error.errors.length > 0 && { errors: error.errors }),
  };
}

/** Headers that every answer carries, whoever writes it. */
export function commonHeaders(requestId: string): Record<string, string> {
  return { 'x-request-id': requestId, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
}

export function problemHeaders(error: DomainError): Record<string, string> {
  return {
    'content-type': PROBLEM_MEDIA_TYPE,
    ...(error.retryAfterSeconds !== null && { 'retry-after': String(error.retryAfterSeconds) }),
    // RFC 9110 wants a challenge with every 401.
    ...(error.code === 'unauthenticated' && { 'www-authenticate': 'Bearer' }),
  };
}
