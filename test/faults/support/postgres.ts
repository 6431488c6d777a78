import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { DataFolder } from '../../../src/quickstart/data-folder.js';
import { applyMigrations, migrationsDir } from '../../../src/platform/database/migrate.js';
import { openEmbeddedPostgres } from '../../../src/quickstart/postgres/embedded-postgres.js';
import type { Startup } from '../../../src/quickstart/startup.js';
import { eventually } from '../../support/eventually.js';

/** A Postgres of the suite's own, which it kills, restarts and starves; it comes back by itself, as under a supervisor. */
export class FaultPostgres {
  readonly #pool: pg.Pool;

  private constructor(
    readonly url: string,
    private readonly home: string,
  ) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: 4,
      connectionTimeoutMillis: 30_000,
      statement_timeout: 30_000,
    });
    this.#pool.on('error', () => undefined);
  }

  static async start(startup: Startup, folder: DataFolder): Promise<FaultPostgres> {
    const options = { report: () => undefined, signal: startup.signal, durable: true };
    const server = await startup.add(
      () => openEmbeddedPostgres(folder, options),
      (running) => running.close(),
    );
    const postgres = new FaultPostgres(server.url, server.home);
    await startup.add(
      () => Promise.resolve(postgres.#pool),
      (pool) => pool.end(),
    );
    // A crash of the server loses nothing without fsync, a power cut would; what was committed is written, as in production.
    await postgres.query('ALTER SYSTEM SET fsync = off');
    await postgres.query('ALTER SYSTEM SET full_page_writes = off');
    // When a row was committed is a proof; when it was written, is not.
    await postgres.query('ALTER SYSTEM SET track_commit_timestamp = on');
    await postgres.crash();
    await applyMigrations(server.url, migrationsDir);
    return postgres;
  }

  /** Asked again while the server is away: what is asked here is the suite's own business. */
  async query<T extends pg.QueryResultRow = any>(sql: string, values: unknown[] = []): Promise<T[]> {
    return eventually(
      async () => {
        try {
          return { rows: (await this.#pool.query<T>(sql, values)).rows };
        } catch (error) {
          if (isAway(error)) throw error;
          return { error };
        }
      },
      { limitMs: 60_000, everyMs: 100 },
    ).then((outcome) => {
      if ('error' in outcome) throw outcome.error;
      return outcome.rows;
    });
  }

  /** Ends the server at once, without a checkpoint, and waits until it takes connections again. */
  async crash(): Promise<void> {
    const before = await this.#postmaster();
    process.kill(before, 'SIGQUIT');
    await eventually(async () => (await this.#postmaster()) !== before && (await this.query('SELECT 1')).length === 1, {
      limitMs: 30_000,
    });
  }

  /** Ends the backends of the service, not ours. */
  async terminateBackends(): Promise<void> {
    await this.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name LIKE 'rescan%'`);
  }

  async setForAll(setting: string, value: string): Promise<void> {
    await this.query(`ALTER SYSTEM SET ${setting} = ${value}`);
    await this.query('SELECT pg_reload_conf()');
  }

  async resetForAll(setting: string): Promise<void> {
    // By itself: it may not be in a transaction with anything else.
    await this.query(`ALTER SYSTEM RESET ${setting}`);
    await this.query('SELECT pg_reload_conf()');
  }

  /** Takes every connection that is left, until it is told to let go. */
  async hogConnections(): Promise<() => Promise<void>> {
    const held: pg.Client[] = [];
    for (;;) {
      const client = new pg.Client({ connectionString: this.url });
      client.on('error', () => undefined);
      try {
        await client.connect();
      } catch {
        break;
      }
      held.push(client);
    }
    return async () => {
      await Promise.all(held.map((client) => client.end()));
    };
  }

  async #postmaster(): Promise<number> {
    const [pid = ''] = (await readFile(join(this.home, 'data', 'postmaster.pid'), 'utf8').catch(() => '0')).split('\n');
    return Number(pid);
  }
}

/** Connection trouble, and a server that starts or stops. */
function isAway(error: unknown): boolean {
  const { code: given } = error as { code?: unknown };
  const code = typeof given === 'string' ? given : '';
  return code === '' || /^(08|57P|53300|ECONN|EPIPE|ETIMEDOUT)/.test(code);
}
