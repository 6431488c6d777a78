import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connectWithin } from '../../src/platform/database/connect.js';

export interface TestDatabase {
  readonly url: string;
  /** Moves the database's time, as everybody sees it through `rescan_now()`, forwards by so much more. */
  advance(ms: number): Promise<void>;
  /** Says it as the owner: the service's own connections may do less. */
  asOwner(statement: string): Promise<void>;
  /** Ends all connections to it. */
  drop(): Promise<void>;
}

/** A database of its own with the schema, cloned from the template: for one test file, or one test. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = new URL(testServerUrl('RESCAN_TEST_TEMPLATE_URL'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(template, `CREATE DATABASE ${name} TEMPLATE ${databaseOf(template)}`);
  const url = at(template, name);
  let movedMs = 0;
  return {
    url,
    advance: async (ms) => {
      movedMs += ms;
      await setClock(url, movedMs);
    },
    asOwner: (statement) => query(url, statement),
    drop: () => administer(template, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

export function testRedisUrl(): string {
  return testServerUrl('RESCAN_TEST_REDIS_URL');
}

function testServerUrl(name: string): string {
  const url = process.env[name];
  if (url) return url;
  throw new Error(`${name} is not set: the test's project needs the global setup, see jest.config.mjs`);
}

/**
 * Replaced only where time is moved, so that every other test plans and runs the function that production has. Its body
 * holds the offset: a setting would reach new sessions only, and a table would be one more read in every plan.
 */
async function setClock(url: string, movedMs: number): Promise<void> {
  await query(
    url,
    `CREATE OR REPLACE FUNCTION rescan_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
     AS $$ SELECT clock_timestamp() + ${Math.round(movedMs)} * interval '1 ms' $$`,
  );
}

function administer(template: URL, statement: string): Promise<void> {
  return query(at(template, 'postgres'), statement);
}

async function query(url: string, statement: string): Promise<void> {
  const client: pg.Client = await connectWithin(url, 5_000);
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function at(template: URL, database: string): string {
  const url = new URL(template);
  url.pathname = `/${database}`;
  return url.href;
}

function databaseOf(url: URL): string {
  return url.pathname.slice(1);
}
