import { defaultCallbackPolicy } from '../domain/callback.js';
import { defaultRetryPolicy } from '../domain/retry-policy.js';
import { auditKey, auditKeyFile } from './audit-key.js';
import { errorClasses } from './error-classes.js';
import { Secret } from './secret.js';
import { signingSecrets, signingSecretsFile } from './signing-secrets.js';
import { duration, oneOf, optional, required, text, variable, whole, type Parser } from './variable.js';

const policy = defaultRetryPolicy;

/** Everything the service reads from its environment, in the order in which the README lists it. */
export const envVariables = {
  role: variable('ROLE', 'all', 'what this process does: api, worker, or both (all)', oneOf('api', 'worker', 'all')),
  host: variable('HOST', '127.0.0.1', 'address to listen on', text(/^[\w.:-]{1,253}$/, 'a host name or an address')),
  port: variable('PORT', '3000', 'port to listen on; 0 takes a free one', whole(0, 65_535)),
  databaseUrl: required('DATABASE_URL', 'PostgreSQL 18 or newer; the truth', url('postgres', 'postgresql')),
  databasePoolSize: variable(
    'DATABASE_POOL_SIZE',
    '10',
    'connections to PostgreSQL of one process; for those who read the record, an api has as many again',
    whole(2, 1_000),
  ),
  redisUrl: optional('REDIS_URL', 'Redis for the queue; without it, PostgreSQL', url('redis', 'rediss')),
  redisEviction: variable(
    'REDIS_EVICTION',
    'refuse',
    'what to do at start about a Redis that may evict keys: refuse, or warn',
    oneOf('refuse', 'warn'),
  ),
  startTimeout: variable('START_TIMEOUT', '30s', 'how long to wait for PostgreSQL at start', duration('0s', '1h')),
  credentialsFile: required(
    'CREDENTIALS_FILE',
    'path of the YAML file with the credentials',
    text(/^[^\0]+$/, 'a path'),
  ),
  errorClasses: variable(
    'HSS_ERROR_CLASSES',
    '',
    'classes of HSS codes, such as HSS.1021=rejected_task,HSS.1019=unavailable; they stand above the built-in table',
    errorClasses,
  ),
  maxOpenTargets: variable(
    'MAX_OPEN_TARGETS',
    '1000000',
    'open targets that one caller may have',
    whole(1, 1_000_000_000),
  ),
  idempotencyRetention: variable(
    'IDEMPOTENCY_RETENTION',
    '30d',
    'how long an Idempotency-Key is remembered',
    duration('1h', '3650d'),
  ),
  workerConcurrency: variable('WORKER_CONCURRENCY', '32', 'lanes that one worker looks at at once', whole(1, 1_000)),
  sweepInterval: variable(
    'SWEEP_INTERVAL',
    '1s',
    'how often lost bells and ended leases are looked for',
    duration('50ms', '1m'),
  ),
  pastAfter: wait('PAST_AFTER', 7 * 86_400_000, 'after it a request that has ended is moved to where months are kept'),
  shutdownGrace: variable(
    'SHUTDOWN_GRACE',
    '8s',
    'how long calls under way may take when the service stops',
    duration('0s', '10m'),
  ),
  logLevel: variable(
    'LOG_LEVEL',
    'info',
    'least severe level to log',
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'silent'),
  ),
  policyVersion: variable(
    'POLICY_VERSION',
    policy.version,
    'recorded with each decision; change it with the numbers below',
    text(/^[\w.-]{1,40}$/, '1 to 40 letters, digits and . _ -'),
  ),
  backoffBase: wait(
    'RETRY_BACKOFF_BASE',
    policy.backoff.baseMs,
    'first wait after a failure; it doubles with each attempt',
  ),
  backoffCap: wait('RETRY_BACKOFF_CAP', policy.backoff.capMs, 'longest wait after a failure'),
  slowBackoffBase: wait('RETRY_SLOW_BACKOFF_BASE', policy.slowBackoff.baseMs, 'first wait while an agent is offline'),
  slowBackoffCap: wait('RETRY_SLOW_BACKOFF_CAP', policy.slowBackoff.capMs, 'longest wait while an agent is offline'),
  maxAttempts: variable(
    'RETRY_MAX_ATTEMPTS',
    String(policy.maxAttempts),
    'attempts of a target before it is exhausted',
    whole(1, 1_000),
  ),
  linger: variable(
    'LINGER',
    written(policy.lingerMs),
    'how long a call that is not full waits for company while it could leave',
    duration('0ms', '10m'),
  ),
  leaseMargin: wait('LEASE_MARGIN', policy.leaseMarginMs, "what a call's lease adds to its time-outs"),
  verdictTimeout: wait(
    'VERDICT_TIMEOUT',
    policy.verdictTimeoutMs,
    'after it an accepted target without a verdict is unverified, and one whose cluster scanned already is sent',
  ),
  lookupGrace: wait(
    'LOOKUP_GRACE',
    policy.lookup.graceMs,
    'how long an effect may take to show: before a lost call is looked up, and before old times count for a verdict',
  ),
  lookupBackoffBase: wait('LOOKUP_BACKOFF_BASE', policy.lookup.backoff.baseMs, 'first wait after a lookup that failed'),
  lookupBackoffCap: wait('LOOKUP_BACKOFF_CAP', policy.lookup.backoff.capMs, 'longest wait after a lookup that failed'),
  lookupGiveUpAfter: wait(
    'LOOKUP_GIVE_UP_AFTER',
    policy.lookup.giveUpAfterMs,
    'how long a lookup is tried, and no longer than VERDICT_TIMEOUT',
  ),
  lookupGiveUpAs: variable(
    'LOOKUP_GIVE_UP_AS',
    policy.lookup.giveUpAs,
    'what becomes of targets whose fate cannot be found out: unverified, or send_again, which may repeat a call',
    oneOf('unverified', 'send_again'),
  ),
  listingKeep: wait(
    'LISTING_KEEP',
    policy.listing.keepMs,
    'how long a listing of a scan task counts from its end, and how long large requests wait for one at most',
  ),
  listingHold: wait(
    'LISTING_HOLD',
    policy.listing.holdMs,
    "how long large requests wait for a listing's first answer, and for each further one beyond a window of its lane",
  ),
  verdictPoll: wait(
    'VERDICT_POLL',
    policy.verdict.poll.baseMs,
    'before the first look at a scan task after a call, unless its scans take longer, and between two looks',
  ),
  verdictPollCap: wait('VERDICT_POLL_CAP', policy.verdict.poll.capMs, 'longest wait between two looks at a scan task'),
  verdictReadThrough: wait(
    'VERDICT_READ_THROUGH',
    policy.verdict.readThroughMs,
    'the clusters of a scan task that never comes to rest are read after so long all the same',
  ),
  roundPause: wait(
    'ROUND_PAUSE',
    policy.verdict.roundPauseMs,
    'between a failed scan and the next round of its target',
  ),
  maxAge: wait('MAX_AGE', policy.maxAgeMs, 'after it a target that is still waiting is expired'),
  breakerFailures: variable(
    'BREAKER_FAILURES',
    String(policy.breaker.failures),
    'failures in a row that open the breaker of a lane',
    whole(1, 1_000),
  ),
  breakerOpen: wait('BREAKER_OPEN', policy.breaker.openMs, 'how long a breaker stays open'),
  credentialOpen: wait(
    'CREDENTIAL_OPEN',
    policy.credentialOpenMs,
    'how long a credential rests after two refusals; six lock the key',
  ),
  splitBudget: variable(
    'SPLIT_BUDGET',
    String(policy.splitBudget),
    'calls to find the culprits of one rejection',
    whole(0, 1_000),
  ),
  callbackSecrets: optional(
    'CALLBACK_SECRETS',
    'what callbacks are signed with, whsec_...; several with spaces between them all sign. Without it no callbackUrl is taken',
    signingSecrets,
  ),
  callbackSecretsFile: optional(
    'CALLBACK_SECRETS_FILE',
    'path of a file that holds them, instead of CALLBACK_SECRETS',
    signingSecretsFile,
  ),
  callbackAllowPrivate: variable(
    'CALLBACK_ALLOW_PRIVATE',
    'false',
    'true lets callbacks go to private addresses and by plain http: for an intranet, and for tests',
    flag,
  ),
  callbackConcurrency: variable(
    'CALLBACK_CONCURRENCY',
    '32',
    'callbacks that one worker has out at once: of one caller a quarter of them, to one origin an eighth',
    whole(1, 1_000),
  ),
  callbackTimeout: variable(
    'CALLBACK_TIMEOUT',
    '10s',
    'how long a receiver may take to answer, from looking up its name on',
    duration('100ms', '1m'),
  ),
  callbackBackoffBase: variable(
    'CALLBACK_BACKOFF_BASE',
    written(defaultCallbackPolicy.backoff.baseMs),
    'first wait after a callback that nobody took; it doubles with each try',
    duration('100ms', '1d'),
  ),
  callbackBackoffCap: variable(
    'CALLBACK_BACKOFF_CAP',
    written(defaultCallbackPolicy.backoff.capMs),
    'longest wait after a callback that nobody took, and the longest that a receiver may ask for',
    duration('100ms', '7d'),
  ),
  callbackGiveUpAfter: variable(
    'CALLBACK_GIVE_UP_AFTER',
    written(defaultCallbackPolicy.giveUpAfterMs),
    'how long after the end of its request a callback is tried',
    duration('0s', '30d'),
  ),
  auditHeadInterval: variable(
    'AUDIT_HEAD_INTERVAL',
    '10m',
    'how often a signed head of each chain of events that has grown is published',
    duration('1s', '1d'),
  ),
  auditKey: optional(
    'AUDIT_SIGNING_KEY',
    'what heads are signed with, an Ed25519 private key in PEM or its base64 alone. Without it they are unsigned, and say so',
    auditKey,
  ),
  auditKeyFile: optional(
    'AUDIT_SIGNING_KEY_FILE',
    'path of a file that holds it, instead of AUDIT_SIGNING_KEY',
    auditKeyFile,
  ),
} as const;

function flag(raw: string): ReturnType<Parser<boolean>> {
  return raw === 'true' || raw === 'false' ? { value: raw === 'true' } : { mustBe: 'true or false' };
}

function wait(name: string, fallbackMs: number, meaning: string): ReturnType<typeof variable<number>> {
  return variable(name, written(fallbackMs), meaning, duration('1ms', '365d'));
}

/** 900000 → `15m`: the default as one would write it. */
function written(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  const unit = units.find(([, size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`;
}

function url(...schemes: readonly string[]): Parser<Secret> {
  return (raw) => {
    const isGood = schemes.some((scheme) => raw.startsWith(`${scheme}://`)) && URL.canParse(raw);
    return isGood ? { value: new Secret(raw) } : { mustBe: `a URL that starts with ${schemes.join(':// or ')}://` };
  };
}
