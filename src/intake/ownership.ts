import type { Principal } from '../security/principal.js';
import { Refused } from '../security/refused.js';

/** Whoever may see a request may not yet change it: that is for its caller, and for operators. */
export function refuseForeign(request: { readonly caller: string }, principal: Principal): void {
  if (request.caller === principal.caller || principal.scopes.includes('ops')) return;
  throw new Refused('forbidden', 'Only its caller, or a key with the scope ops, may do this.', 'not_owner');
}
