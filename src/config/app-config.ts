import type { CallbackPolicy } from '../domain/callback.js';
import type { RetryPolicy } from '../domain/retry-policy.js';
import type { Secret } from './secret.js';

export type Role = 'api' | 'worker' | 'all';

/** Calls an operation takes from one credential in one window; `calls: null` lifts the limit. */
export interface CallLimit {
  readonly calls: number | null;
  readonly windowMs: number;
}

export type CredentialAuth =
  | {
      readonly kind: 'aksk';
      readonly accessKey: Secret;
      readonly secretKey: Secret;
      readonly securityToken: Secret | null;
    }
  | { readonly kind: 'password'; readonly userName: string; readonly domainName: string; readonly password: Secret };

export interface CredentialConfig {
  /** 1..40 characters of a-z, 0-9 and `-`; a part of the lane's id. */
  readonly name: string;
  /** Origins without a trailing slash. */
  readonly hssUrl: string;
  readonly iamUrl: string;
  readonly auth: CredentialAuth;
  readonly projects: readonly string[] | '*';
  readonly egress: string;
  readonly limits: {
    readonly retryTask: CallLimit;
    readonly listTasks: CallLimit;
    readonly listTaskResources: CallLimit;
  };
  readonly timeoutMs: number;
}

/** How the end of a request is told to whoever asked for it. */
export interface CallbackConfig {
  /** Each of them signs; none: callbacks are off. */
  readonly secrets: readonly Secret[];
  /** Whether plain http and addresses that are not of the internet may be told. */
  readonly allowPrivate: boolean;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly policy: CallbackPolicy;
}

/** How the chains of events are proved. */
export interface AuditConfig {
  readonly headIntervalMs: number;
  /** An Ed25519 private key, PKCS #8 in PEM; null: heads are unsigned. */
  readonly signingKey: Secret | null;
}

/** Everything the service is told from outside; read once, frozen, refused as a whole. */
export interface AppConfig {
  readonly role: Role;
  readonly http: { readonly host: string; readonly port: number };
  readonly databaseUrl: Secret;
  readonly databasePoolSize: number;
  /** Null: BullMQ runs on its own Postgres backend, in the same database. */
  readonly redisUrl: Secret | null;
  /** Whether a Redis that may evict keys is refused. */
  readonly redisEviction: 'refuse' | 'warn';
  /** How long to wait for PostgreSQL at start. */
  readonly startTimeoutMs: number;
  readonly credentials: readonly CredentialConfig[];
  readonly policy: RetryPolicy;
  readonly callbacks: CallbackConfig;
  readonly audit: AuditConfig;
  /** Classes for HSS codes that no public source explains, by code. */
  readonly errorClasses: ReadonlyMap<string, ErrorClass>;
  readonly maxOpenTargets: number;
  readonly idempotencyRetentionMs: number;
  readonly sweepMs: number;
  readonly pastAfterMs: number;
  readonly workerConcurrency: number;
  readonly shutdownGraceMs: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

export type ErrorClass = 'rejected_cluster' | 'rejected_task' | 'unavailable' | 'unknown' | 'blocked';
