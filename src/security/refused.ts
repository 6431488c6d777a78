import { DomainError, type ErrorCode } from '../domain/domain-error.js';
import type { Principal } from './principal.js';

export type RefusalReason = 'no_key' | 'unknown_key' | 'revoked_key' | 'missing_scope' | 'not_owner' | 'other_project';

/** A refused access, which goes on record; `by` where a key told who it was, and the request's principal does not. */
export class Refused extends DomainError {
  constructor(
    code: Extract<ErrorCode, 'unauthenticated' | 'missing_scope' | 'forbidden' | 'not_found'>,
    detail: string,
    readonly reason: RefusalReason,
    readonly by: Pick<Principal, 'caller' | 'keyId'> | null = null,
  ) {
    super(code, detail);
  }
}
