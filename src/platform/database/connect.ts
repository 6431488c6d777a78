import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Postgres or its host is not up yet; everything else (a wrong password, no such database) will not heal by waiting. */
const NOT_YET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', '57P03']);
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

/** An open connection, retried with growing waits for at most `limitMs`; throws the last error after that. */
export async function connectWithin(connectionString: string, limitMs: number): Promise<pg.Client> {
  const deadline = performance.now() + limitMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
    client.on('error', leaveItToTheNextQuery);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined); // It never opened; the error of opening it is the one to tell.
      if (!NOT_YET.has(errorCode(error)) || performance.now() + waitMs > deadline) throw error;
    }
    await delay(waitMs);
  }
}

/** A connection that is lost while idle says so by an event, and without a listener that ends the process. */
export function leaveItToTheNextQuery(): void {
  return;
}

/** The code of a Postgres or system error; of the first of them where Node tried several addresses. '' where there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  if (typeof code === 'string') return code;
  return Array.isArray(errors) ? errorCode(errors[0]) : '';
}
