import { HttpException } from '@nestjs/common';
import { DomainError, type ErrorCode } from '../../domain/domain-error.js';
import { isDatabaseAway } from './database-away.js';

const DATABASE_RETRY_SECONDS = 5;

/** Fixed texts: those of frameworks repeat what was sent, and change between versions. */
const BY_STATUS: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map([
  [400, ['malformed', 'The request is malformed.']],
  [401, ['unauthenticated', 'Send a valid API key as "Authorization: Bearer <key>".']],
  [403, ['forbidden', 'This API key may not do that.']],
  [404, ['not_found', 'There is nothing here. See /openapi.json for the routes.']],
  [405, ['method_not_allowed', 'This route does not take that method.']],
  [408, ['request_timeout', 'The request did not arrive in time.']],
  [409, ['conflict', 'The state of the resource does not allow that.']],
  [413, ['payload_too_large', 'The body is larger than 16 MiB.']],
  [414, ['malformed', 'The URL is too long.']],
  [415, ['unsupported_media_type', 'Send the body as "Content-Type: application/json" in UTF-8, not compressed.']],
  [431, ['headers_too_large', 'The request line and headers are larger than 16 KiB.']],
]);

/** The public error of a 4xx that a framework gives; another 4xx is a malformed request. */
export function fromStatus(status: number): DomainError {
  const [code, detail] = BY_STATUS.get(status) ?? (['malformed', 'The request is malformed.'] as const);
  return new DomainError(code, detail);
}

/**
 * What an error may look like outside. A code `internal` means that it is a bug, which the caller of this function logs.
 */
export function toPublicError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const status = frameworkStatus(error);
  if (status !== null && status >= 400 && status < 500) return fromStatus(status);
  if (isDatabaseAway(error)) {
    return new DomainError('database_unavailable', 'The database cannot be reached. Nothing was changed; try again.', {
      retryAfterSeconds: DATABASE_RETRY_SECONDS,
    });
  }
  return new DomainError('internal', 'Something went wrong here. Report it with the id in "instance".');
}

/** Nest's exceptions and Fastify's errors carry a status; anything else that has a `statusCode` is not trusted. */
function frameworkStatus(error: unknown): number | null {
  if (error instanceof HttpException) return error.getStatus();
  if (typeof error !== 'object' || error === null || !('code' in error) || !('statusCode' in error)) return null;
  const { code, statusCode } = error;
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : null;
}
