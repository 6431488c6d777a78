/** What Prisma, its driver adapter and pg call a database that cannot be reached, or that is going away. */
const AWAY_CODES: ReadonlySet<string> = new Set([
  // Prisma: unreachable, timed out, closed the connection, no connection free, no transaction in time
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028'],
  // PostgreSQL: connection exceptions, too many connections, shutting down or starting up
  ...['08000', '08001', '08003', '08004', '08006', '53300', '57P01', '57P02', '57P03'],
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH'],
]);

const AWAY_KINDS: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TlsConnectionError',
  'TooManyConnections',
]);

/** pg throws these without a code. */
const AWAY_MESSAGES = [
  /^Connection terminated\b/,
  /^timeout exceeded when trying to connect$/,
  /^Client has encountered a connection error and is not queryable$/,
];

const MAX_CAUSES = 6;

/**
 * Whether an error that reached a route says that Postgres is away. Socket errors count as well: the database is the
 * only peer that a route waits for (a queue that is away fails no request, and no route calls the upstream).
 */
export function isDatabaseAway(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && isRecord(current); depth += 1) {
    if (saysAway(current)) return true;
    current = causeOf(current);
  }
  return false;
}

function saysAway(error: Record<string, unknown>): boolean {
  const { kind, code, originalCode, message } = error;
  return (
    (typeof kind === 'string' && AWAY_KINDS.has(kind)) ||
    (typeof code === 'string' && AWAY_CODES.has(code)) ||
    (typeof originalCode === 'string' && AWAY_CODES.has(originalCode)) ||
    (typeof message === 'string' && AWAY_MESSAGES.some((pattern) => pattern.test(message)))
  );
}

/** Prisma keeps the driver's error of a failed raw query (P2010) in `meta`, and no `cause`. */
function causeOf(error: Record<string, unknown>): unknown {
  if (isRecord(error['meta'])) return error['meta']['driverAdapterError'] ?? error['cause'];
  return error['cause'];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
