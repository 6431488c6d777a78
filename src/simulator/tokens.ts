import { createHash } from 'node:crypto';
import type { ScenarioCredential, TokenPolicy } from './scenario.js';

export interface IssuedToken {
  readonly token: string;
  readonly credential: ScenarioCredential;
  readonly projectId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

type TokenCheck =
  | { readonly kind: 'valid'; readonly issued: IssuedToken }
  | { readonly kind: 'expired' }
  | { readonly kind: 'unknown' };

export class Tokens {
  private readonly issued = new Map<string, IssuedToken>();
  private count = 0;

  constructor(
    private readonly policy: TokenPolicy,
    private readonly seed: number,
  ) {}

  issue(credential: ScenarioCredential, projectId: string, now: number): IssuedToken {
    this.count += 1;
    const token = tokenText(`${this.seed} ${credential.name} ${this.count}`, this.policy.length);
    const issued = { token, credential, projectId, issuedAt: now, expiresAt: now + this.policy.ttlMs };
    this.issued.set(token, issued);
    return issued;
  }

  check(token: string, now: number): TokenCheck {
    const issued = this.issued.get(token);
    if (!issued) return { kind: 'unknown' };
    return now < issued.expiresAt ? { kind: 'valid', issued } : { kind: 'expired' };
  }

  /** A token can die before its time: a changed password, changed permissions, arrears. */
  expire(token: string): void {
    const issued = this.issued.get(token);
    if (issued) this.issued.set(token, { ...issued, expiresAt: 0 });
  }

  expireAll(): void {
    for (const token of this.issued.keys()) this.expire(token);
  }
}

/** Starts unlike any other token, so that a client that cuts tokens off is found out by the padding alone. */
function tokenText(source: string, length: number): string {
  const head = `MII${createHash('sha256').update(source).digest('hex')}`;
  return head.repeat(Math.ceil(length / head.length)).slice(0, Math.max(length, head.length));
}
