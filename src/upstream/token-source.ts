import type { FailedOutcome } from './scan-tasks.js';

export interface Token {
  readonly value: string;
  /** By the upstream's clock. */
  readonly expiresAt: Date;
}

/** `outcome` is what a call comes to that cannot be made for want of a token. */
export type TokenResult =
  { readonly kind: 'token'; readonly token: Token } | { readonly kind: 'none'; readonly outcome: FailedOutcome };

/** Never rejects: a network error is a result. */
export type FetchToken = (projectId: string, at: Date) => Promise<TokenResult>;

const RENEW_EARLY_MS = 30 * 60_000;
/** A token is some kilobytes, at most 32; a credential for "*" may serve any number of projects. */
const MAX_TOKENS = 500;

interface CachedToken extends Token {
  readonly renewAt: Date;
}

/** The tokens of one credential: one for each project, since a token is scoped to one. */
export class TokenSource {
  readonly #cached = new Map<string, CachedToken>();
  readonly #renewals = new Map<string, Promise<TokenResult>>();

  constructor(private readonly fetchToken: FetchToken) {}

  /** @param at the upstream's clock as well as it is known; callers that come during a renewal share it. */
  async get(projectId: string, at: Date): Promise<TokenResult> {
    const cached = this.#cached.get(projectId);
    if (cached && at < cached.renewAt) return { kind: 'token', token: cached };
    const renewed = await this.#renew(projectId, at);
    return this.#stillGood(projectId, renewed, at) ?? renewed;
  }

  /** Drops what the upstream refused. A renewal under way goes on: its token is a newer one. */
  forget(): void {
    this.#cached.clear();
  }

  /** An early renewal that failed for the network costs nothing. A refused password ends it: each further try could lock the user. */
  #stillGood(projectId: string, renewed: TokenResult, at: Date): TokenResult | null {
    const cached = this.#cached.get(projectId);
    const isGood = cached && at < cached.expiresAt;
    return isGood && renewed.kind === 'none' && renewed.outcome.kind === 'not_sent'
      ? { kind: 'token', token: cached }
      : null;
  }

  #renew(projectId: string, at: Date): Promise<TokenResult> {
    const underWay = this.#renewals.get(projectId);
    if (underWay) return underWay;
    const renewal = this.fetchToken(projectId, at)
      .then((result) => {
        if (result.kind === 'token') this.#keep(projectId, result.token, at);
        return result;
      })
      .finally(() => this.#renewals.delete(projectId));
    this.#renewals.set(projectId, renewal);
    return renewal;
  }

  #keep(projectId: string, token: Token, at: Date): void {
    // Never more than half of its life, or a short-lived token would be renewed for each call.
    const lifeMs = token.expiresAt.getTime() - at.getTime();
    const renewAt = new Date(token.expiresAt.getTime() - Math.min(RENEW_EARLY_MS, lifeMs / 2));
    this.#cached.delete(projectId);
    this.#cached.set(projectId, { ...token, renewAt });
    const [oldest] = this.#cached.keys();
    if (this.#cached.size > MAX_TOKENS && oldest !== undefined) this.#cached.delete(oldest);
  }
}
