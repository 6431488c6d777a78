import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/domain-error.js';

const MAX_LENGTH = 255;

/** The request's `Idempotency-Key`, which the route requires. */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext): string =>
  parseIdempotencyKey(context.switchToHttp().getRequest<FastifyRequest>().raw.headersDistinct['idempotency-key'] ?? []),
);

/** @param given every header of that name: two are refused, even where they are equal. */
export function parseIdempotencyKey(given: readonly string[]): string {
  const [key = ''] = given;
  if (key === '') {
    throw new DomainError('idempotency_key_missing', 'Send an Idempotency-Key header: a new one for each new wish.');
  }
  if (given.length > 1 || key.length > MAX_LENGTH || !/^[\x21-\x7e]+$/.test(key)) {
    throw new DomainError('malformed', `Send one Idempotency-Key of 1 to ${MAX_LENGTH} visible ASCII characters.`);
  }
  return key;
}
