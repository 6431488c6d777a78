import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorSpec } from './answers.js';
import type { ScenarioCredential } from './scenario.js';
import { isSignedBy, parseAuthorization, parseSdkDate, type SignedRequest } from './signature.js';
import type { Tokens } from './tokens.js';

const CLOCK_TOLERANCE_MS = 15 * 60_000;
const FAILURES_ALLOWED = 5;
const LOCK_MS = 5 * 60_000;

type Authentication =
  | {
      readonly kind: 'authenticated';
      readonly credential: ScenarioCredential;
      readonly by: 'token' | 'aksk';
      /** The one project that a token is for; null: any of the credential's. */
      readonly projectId: string | null;
    }
  | { readonly kind: 'refused'; readonly error: ErrorSpec };

type KeyState = { failures: number; lockedUntil: number };

export class Authenticator {
  private readonly byAccessKey = new Map<string, ScenarioCredential>();
  private readonly keyStates = new Map<string, KeyState>();

  constructor(
    credentials: readonly ScenarioCredential[],
    private readonly tokens: Tokens,
  ) {
    for (const credential of credentials) {
      if (credential.accessKey) this.byAccessKey.set(credential.accessKey.ak, credential);
    }
  }

  authenticate(request: SignedRequest & { readonly headers: IncomingHttpHeaders }, now: number): Authentication {
    if (request.headers.authorization !== undefined) return this.byKey(request, request.headers.authorization, now);
    const token = request.headers['x-auth-token'];
    if (typeof token !== 'string' || token === '') return refused('x-auth-token not found');
    const check = this.tokens.check(token, now);
    switch (check.kind) {
      case 'valid':
        return {
          kind: 'authenticated',
          credential: check.issued.credential,
          by: 'token',
          projectId: check.issued.projectId,
        };
      case 'expired':
        return { kind: 'refused', error: { status: 401, code: 'APIGW.0307' } };
      case 'unknown':
        return refused('decrypt token fail');
      default:
        return check satisfies never;
    }
  }

  private byKey(request: SignedRequest, authorization: string, now: number): Authentication {
    const claim = parseAuthorization(authorization);
    if (!claim) return refused('verify aksk signature fail, unable to parse the authorization header');
    const credential = this.byAccessKey.get(claim.accessKey);
    const key = credential?.accessKey;
    if (!credential || !key) return refused('ak not exist');

    const state = this.stateOf(key.ak, now);
    if (now < state.lockedUntil) return refused('AK access failed to reach the limit,forbidden');
    const fresh = isFresh(request, now);
    const carriesToken =
      key.securityToken === undefined ||
      (request.headers['x-security-token'] === key.securityToken && claim.signedHeaders.includes('x-security-token'));
    if (fresh && carriesToken && isSignedBy(key.sk, request, claim)) {
      state.failures = 0;
      return { kind: 'authenticated', credential, by: 'aksk', projectId: null };
    }
    state.failures += 1;
    if (state.failures > FAILURES_ALLOWED) state.lockedUntil = now + LOCK_MS;
    return refused(fresh ? 'verify aksk signature fail' : 'verify aksk signature fail, x-sdk-date expired');
  }

  /** A lock that has run out takes its failures with it. */
  private stateOf(accessKey: string, now: number): KeyState {
    let state = this.keyStates.get(accessKey);
    if (!state || (state.lockedUntil > 0 && now >= state.lockedUntil)) {
      this.keyStates.set(accessKey, (state = { failures: 0, lockedUntil: 0 }));
    }
    return state;
  }
}

function isFresh(request: SignedRequest, now: number): boolean {
  const header = request.headers['x-sdk-date'];
  const signedAt = typeof header === 'string' ? parseSdkDate(header) : null;
  return signedAt !== null && Math.abs(now - signedAt) <= CLOCK_TOLERANCE_MS;
}

function refused(reason: string): Authentication {
  return {
    kind: 'refused',
    error: { status: 401, code: 'APIGW.0301', message: `Incorrect IAM authentication information: ${reason}` },
  };
}
