import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/domain-error.js';

const MAX_LENGTH = 255;

/** The request's `Idempotency-Key`, which the route requires. */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext): string =>
  keyOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** Null for a dry run: it stores nothing, so it may be repeated as it is. */
export const KeyUnlessDryRun = createParamDecorator((_data: unknown, context: ExecutionContext): string | null => {
  const request = context.switchToHttp().getRequest<FastifyRequest<{ Querystring: { dryRun?: unknown } }>>();
  return request.query.dryRun === 'true' ? null : keyOf(request);
});

const keyOf = ({ raw }: Pick<FastifyRequest, 'raw'>): string =>
  parseIdempotencyKey(raw.headersDistinct['idempotency-key'] ?? []);

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
