import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { connectWithin, errorCode, leaveItToTheNextQuery } from './connect.js';
import { migrationNames, readMigrations, type Migration } from './migration-folder.js';
import { noFilters, openSchemaEngine, type SchemaEngine } from './schema-engine.js';

export { migrationsDir } from './migration-folder.js';

/** Any constant will do; this one is "rescan" in ASCII. */
const LOCK_KEY = '125779802186094';
const UNDEFINED_TABLE = '42P01';

export interface MigrateOptions {
  /** How long to wait for Postgres to come up. */
  readonly waitMs?: number;
  /** How long to wait for another process that is migrating. */
  readonly lockMs?: number;
}

/** What `pg.Pool` and `pg.Client` offer, as far as it is needed here. */
export interface Queryable {
  query(sql: string): Promise<{ rows: unknown[] }>;
}

export class MigrationFailed extends Error {
  constructor(
    readonly migration: string,
    override readonly cause: unknown,
  ) {
    super(
      `Migration ${migration} failed and was rolled back: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
    this.name = 'MigrationFailed';
  }
}

/**
 * Applies what is missing, in order, and keeps Prisma's genuine `_prisma_migrations`, so that `prisma migrate deploy`
 * can take over anywhere. Any number of processes may call it at once: one works, the others wait and find nothing to do.
 */
export async function applyMigrations(
  connectionString: string,
  folder: string,
  { waitMs = 30_000, lockMs = 600_000 }: MigrateOptions = {},
): Promise<{ applied: string[] }> {
  const guard = await connectWithin(connectionString, waitMs);
  try {
    await guard.query(`SET lock_timeout = ${lockMs}`);
    await guard.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    if ((await pendingMigrations(guard, folder)).length === 0) return { applied: [] };
    return { applied: await applyAll(connectionString, await readMigrations(folder)) };
  } finally {
    await guard.end(); // The lock goes with its connection.
  }
}

/** Names in the folder that have not finished in this database: one small query, cheap enough for a readiness check. */
export async function pendingMigrations(database: Queryable, folder: string): Promise<string[]> {
  const names = await migrationNames(folder);
  const finished = await finishedMigrations(database);
  return names.filter((name) => !finished.has(name));
}

async function finishedMigrations(database: Queryable): Promise<Set<string>> {
  try {
    const { rows } = await database.query(
      'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL',
    );
    return new Set((rows as { migration_name: string }[]).map((row) => row.migration_name));
  } catch (error) {
    if (errorCode(error) === UNDEFINED_TABLE) return new Set();
    throw error;
  }
}

async function applyAll(connectionString: string, migrations: readonly Migration[]): Promise<string[]> {
  // One connection, so that the transaction around a migration holds the engine's own statements too.
  const pool = new pg.Pool({ connectionString, max: 1, idleTimeoutMillis: 0 });
  pool.on('error', leaveItToTheNextQuery);
  const adapter = new WholeScripts(pool);
  const applied: string[] = [];
  try {
    const engine = await openSchemaEngine(adapter);
    for (const [index, migration] of migrations.entries()) {
      applied.push(...(await applyUpTo(engine, adapter, pool, migrations.slice(0, index + 1), migration.name)));
    }
    return applied;
  } finally {
    await pool.end();
  }
}

/**
 * A migration and its row in `_prisma_migrations` commit together or not at all. Prisma commits them one after the other,
 * and whoever is killed in between finds a half-recorded migration that nobody can repeat.
 */
async function applyUpTo(
  engine: SchemaEngine,
  adapter: WholeScripts,
  pool: pg.Pool,
  migrations: readonly Migration[],
  name: string,
): Promise<string[]> {
  let isTransactionLost = false as boolean; // or the compiler takes it for false below: it does not see the listener
  const onLost = (): void => void (isTransactionLost = true);
  pool.once('remove', onLost);
  await pool.query('BEGIN');
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: migrationList(migrations),
      filters: noFilters,
    });
    // The pool replaces a connection after any error, and what follows would commit outside of the transaction.
    if (isTransactionLost) throw new Error('The connection was lost in the middle');
    await pool.query('COMMIT');
    return appliedMigrationNames;
  } catch (error) {
    await pool.query('ROLLBACK').catch(() => undefined); // A lost connection has rolled back already.
    throw new MigrationFailed(name, adapter.scriptError ?? error);
  } finally {
    pool.off('remove', onLost);
  }
}

function migrationList(
  migrations: readonly Migration[],
): Parameters<SchemaEngine['applyMigrations']>[0]['migrationsList'] {
  return {
    baseDir: '/migrations',
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}

/**
 * Prisma's adapter cuts a script at every `;`, also inside `$$` bodies and strings. Postgres takes it whole.
 * It also keeps the first error: after it, the engine's own bookkeeping fails with "transaction is aborted" and hides it.
 */
class WholeScripts implements SqlMigrationAwareDriverAdapterFactory {
  readonly provider = 'postgres';
  readonly adapterName = '@prisma/adapter-pg';
  scriptError: unknown;
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async connect(): Promise<SqlDriverAdapter> {
    const adapter = await new PrismaPg(this.#pool).connect();
    adapter.executeScript = async (script) => {
      try {
        await this.#pool.query(script);
      } catch (error) {
        this.scriptError ??= error;
        throw error;
      }
    };
    return adapter;
  }

  connectToShadowDb(): Promise<SqlDriverAdapter> {
    return Promise.reject(new Error('Migrations are applied without a shadow database'));
  }
}
