import canonicalize from 'canonicalize';
import { createHash } from 'node:crypto';
import type { EventFields } from '../domain/sealed-event.js';

/** What the first event of a project's chain is chained to: every project has a chain of its own. In hex. */
export const chainStart = (projectId: string): string =>
  createHash('sha256').update(`rescan.event-chain.v1:${projectId}`).digest('hex');

/**
 * SHA-256 over the 32 bytes of the hash before it and the event as canonical JSON (RFC 8785). Both hashes in hex.
 * @throws for what no JSON can say, such as a number beyond a double
 */
export function chainHash(previous: string, event: EventFields): string {
  const canonical = canonicalize(event);
  if (canonical === undefined) throw new Error('an event without a canonical form');
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(canonical).digest('hex');
}
