import { defaultRetryPolicy, type RetryPolicy } from '../domain/retry-policy.js';
import type { AppConfig, CallbackConfig, CredentialConfig } from './app-config.js';
import { ConfigError } from './config-error.js';
import { loadCredentials } from './credentials-file.js';
import { envVariables } from './env-variables.js';
import type { Environment } from './secret-source.js';
import type { Variable } from './variable.js';

type Variables = typeof envVariables;
type Values = { readonly [K in keyof Variables]: Variables[K] extends Variable<infer T> ? T : never };

/**
 * Reads the whole configuration, the credentials file and the secrets it names included. An empty variable counts as not set.
 * @returns it, frozen.
 * @throws ConfigError with every problem, each saying what to do, and never a value.
 */
export function parseEnv(env: Environment): AppConfig {
  const problems: string[] = [];
  const values = readValues(env, problems);
  const credentials = values.credentialsFile ? readCredentials(values.credentialsFile, env, problems) : [];
  problems.push(...contradictions(values));
  if (problems.length > 0) throw new ConfigError(problems);
  return toConfig(values as Values, credentials);
}

/** For `--help` and the README. */
export function describeEnv(): string {
  const rows = Object.values(envVariables).map(({ name, fallback, required, meaning }) => {
    return [name, required ? '(required)' : (fallback ?? ''), meaning] as const;
  });
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  const [names, fallbacks] = [width(0), width(1)];
  return rows
    .map(([name, fallback, meaning]) => `${name.padEnd(names)}  ${fallback.padEnd(fallbacks)}  ${meaning}`)
    .join('\n');
}

function readValues(env: Environment, problems: string[]): Partial<Values> {
  const read = Object.entries(envVariables as Record<string, Variable<unknown>>).flatMap(([key, variable]) => {
    const { name, fallback, required, meaning, parse } = variable;
    const text = env[name]?.trim() || fallback;
    if (text === null) {
      if (required) problems.push(`${name}: is not set: ${meaning}`);
      return [[key, null] as const];
    }
    const parsed = parse(text);
    if ('value' in parsed) return [[key, parsed.value] as const];
    problems.push(`${name}: must be ${parsed.mustBe}`);
    return [];
  });
  return Object.fromEntries(read);
}

function readCredentials(path: string, env: Environment, problems: string[]): readonly CredentialConfig[] {
  try {
    return loadCredentials(path, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
    return [];
  }
}

/** Values that are each good and do not fit together. A value that could not be read compares as false. */
function contradictions(values: Partial<Values>): string[] {
  const isAbove = (a: number | undefined, b: number | undefined): boolean =>
    a !== undefined && b !== undefined && a > b;
  const found: string[] = [];
  if (isAbove(values.backoffBase, values.backoffCap)) {
    found.push('RETRY_BACKOFF_CAP: must not be less than RETRY_BACKOFF_BASE');
  }
  if (isAbove(values.slowBackoffBase, values.slowBackoffCap)) {
    found.push('RETRY_SLOW_BACKOFF_CAP: must not be less than RETRY_SLOW_BACKOFF_BASE');
  }
  if (isAbove(values.verdictPoll, values.verdictPollCap)) {
    found.push('VERDICT_POLL_CAP: must not be less than VERDICT_POLL');
  }
  if (isAbove(values.callbackBackoffBase, values.callbackBackoffCap)) {
    found.push('CALLBACK_BACKOFF_CAP: must not be less than CALLBACK_BACKOFF_BASE');
  }
  if (values.callbackSecrets && values.callbackSecretsFile) {
    found.push('CALLBACK_SECRETS_FILE: goes instead of CALLBACK_SECRETS: set one of the two');
  }
  if (values.auditKey && values.auditKeyFile) {
    found.push('AUDIT_SIGNING_KEY_FILE: goes instead of AUDIT_SIGNING_KEY: set one of the two');
  }
  return found;
}

function toConfig(values: Values, credentials: readonly CredentialConfig[]): AppConfig {
  return Object.freeze({
    role: values.role,
    http: Object.freeze({ host: values.host, port: values.port }),
    databaseUrl: values.databaseUrl,
    databasePoolSize: values.databasePoolSize,
    redisUrl: values.redisUrl,
    redisEviction: values.redisEviction,
    startTimeoutMs: values.startTimeout,
    credentials,
    policy: toPolicy(values),
    callbacks: toCallbacks(values),
    audit: Object.freeze({
      headIntervalMs: values.auditHeadInterval,
      signingKey: values.auditKey ?? values.auditKeyFile,
    }),
    errorClasses: values.errorClasses,
    maxOpenTargets: values.maxOpenTargets,
    idempotencyRetentionMs: values.idempotencyRetention,
    sweepMs: values.sweepInterval,
    pastAfterMs: values.pastAfter,
    workerConcurrency: values.workerConcurrency,
    shutdownGraceMs: values.shutdownGrace,
    logLevel: values.logLevel,
  });
}

function toCallbacks(values: Values): CallbackConfig {
  return Object.freeze({
    secrets: values.callbackSecrets ?? values.callbackSecretsFile ?? Object.freeze([]),
    allowPrivate: values.callbackAllowPrivate,
    concurrency: values.callbackConcurrency,
    timeoutMs: values.callbackTimeout,
    policy: Object.freeze({
      backoff: Object.freeze({ baseMs: values.callbackBackoffBase, capMs: values.callbackBackoffCap }),
      giveUpAfterMs: values.callbackGiveUpAfter,
    }),
  });
}

function toPolicy(values: Values): RetryPolicy {
  return Object.freeze({
    version: values.policyVersion,
    backoff: Object.freeze({ baseMs: values.backoffBase, capMs: values.backoffCap }),
    slowBackoff: Object.freeze({ baseMs: values.slowBackoffBase, capMs: values.slowBackoffCap }),
    maxAttempts: values.maxAttempts,
    lingerMs: values.linger,
    leaseMarginMs: values.leaseMargin,
    verdictTimeoutMs: values.verdictTimeout,
    lookup: Object.freeze({
      graceMs: values.lookupGrace,
      backoff: Object.freeze({ baseMs: values.lookupBackoffBase, capMs: values.lookupBackoffCap }),
      giveUpAfterMs: values.lookupGiveUpAfter,
      giveUpAs: values.lookupGiveUpAs,
    }),
    listing: Object.freeze({ keepMs: values.listingKeep, holdMs: values.listingHold }),
    verdict: Object.freeze({
      poll: Object.freeze({ baseMs: values.verdictPoll, capMs: values.verdictPollCap }),
      readThroughMs: values.verdictReadThrough,
      roundPauseMs: values.roundPause,
    }),
    maxAgeMs: values.maxAge,
    breaker: Object.freeze({ failures: values.breakerFailures, openMs: values.breakerOpen }),
    credentialOpenMs: values.credentialOpen,
    splitBudget: values.splitBudget,
    defaultPauseMs: defaultRetryPolicy.defaultPauseMs,
  });
}
