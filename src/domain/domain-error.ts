/** Public and permanent: callers write code against these, so none is ever renamed or given another meaning. */
export const ERROR_CODES = [
  'malformed',
  'bad_cursor',
  'project_not_served',
  'deadline_in_past',
  'callbacks_not_configured',
  'idempotency_key_missing',
  'unauthenticated',
  'forbidden',
  'missing_scope',
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'conflict',
  'nothing_to_replay',
  'payload_too_large',
  'unsupported_media_type',
  'idempotency_key_reused',
  'too_many_open_targets',
  'too_many_exports',
  'headers_too_large',
  'internal',
  'database_unavailable',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** One fault in what was sent. `path` names the field, `message` the rule; neither repeats a value that was sent. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface DomainErrorExtras {
  readonly retryAfterSeconds?: number;
  readonly errors?: readonly FieldError[];
}

/**
 * A caller's mistake, or a state of the service that the caller can act on. `detail` is written for the caller, says
 * what is wrong and what to do, and goes out as it stands: no secret, no SQL, nothing that the upstream said.
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly retryAfterSeconds: number | null;
  readonly errors: readonly FieldError[];

  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    extras: DomainErrorExtras = {},
  ) {
    super(`${code}: ${detail}`);
    this.retryAfterSeconds = extras.retryAfterSeconds ?? null;
    this.errors = extras.errors ?? [];
  }
}
