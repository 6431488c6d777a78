import { DomainError } from '../domain/domain-error.js';
import type { Principal } from '../security/principal.js';

/** Whoever may see a request may not yet change it: that is for its caller, and for operators. */
export function refuseForeign(request: { readonly caller: string }, principal: Principal): void {
  if (request.caller === principal.caller || principal.scopes.includes('ops')) return;
  throw new DomainError('forbidden', 'Only its caller, or a key with the scope ops, may do this.');
}
