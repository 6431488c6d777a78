import { Injectable } from '@nestjs/common';
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { ApiKeyLedger } from '../ledger/api-keys.js';
import { SCOPES, type Principal, type Scope } from './principal.js';
import { Refused, type RefusalReason } from './refused.js';

const isScope = (scope: string): scope is Scope => (SCOPES as readonly string[]).includes(scope);

/** 256 bits of chance; the prefix lets scanners of leaked secrets find it. */
export const newKey = (): string => `rescan_${randomBytes(32).toString('base64url')}`;

export const hashOfKey = (key: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(createHash('sha256').update(key).digest());

@Injectable()
export class ApiKeys {
  constructor(private readonly ledger: ApiKeyLedger) {}

  /** @throws Refused `unauthenticated` for no key, an unknown one and a revoked one: outside they look the same */
  async principalOf(key: string): Promise<Principal> {
    if (key === '') throw unauthenticated('no_key');
    const hash = hashOfKey(key);
    const row = await this.ledger.find(hash);
    if (!row || !timingSafeEqual(row.hash, hash)) throw unauthenticated('unknown_key');
    if (row.revokedAt) throw unauthenticated('revoked_key', { caller: row.caller, keyId: row.id });
    return {
      keyId: row.id,
      caller: row.caller,
      scopes: row.scopes.filter(isScope),
      projects: row.projects.includes('*') ? '*' : row.projects,
    };
  }
}

function unauthenticated(reason: RefusalReason, by: Refused['by'] = null): Refused {
  return new Refused('unauthenticated', 'Send a valid API key: Authorization: Bearer <key>.', reason, by);
}
