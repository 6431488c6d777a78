import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../src/generated/prisma/client.js';
import { asServiceRole } from '../../src/platform/database/service-role.js';
import { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { statementNames } from '../../src/platform/prisma/statement-names.js';
import { eventually } from './eventually.js';
import type { TestDatabase } from './test-database.js';

/** Of the statement with which the connection breaks: whether the server has carried it out. */
export type Fault = 'fails' | 'is done but reported as failed';

/** What @types/pg leaves out. */
type Client = pg.PoolClient & {
  readonly processID: number;
  readonly connection: { readonly stream: { destroy(): void } };
};
type Query = (...args: unknown[]) => unknown;

/** The service's own way to the database, on which one chosen statement breaks the connection as a server that goes away does. */
export class FailingStatements {
  private sent: string[] | null = null;
  private chosen: { readonly nth: number; readonly fault: Fault } | null = null;
  private lostBackend: number | null = null;
  private calm: PrismaService | null = null;
  private pool: pg.Pool | null = null;

  readonly connect = (url: string): PrismaService => {
    this.calm = new PrismaService(url, 2);
    const pool = new pg.Pool({ connectionString: asServiceRole(url), max: 1 });
    pool.on('connect', (client) => this.wrap(client as Client));
    this.pool = pool;
    const adapter = new PrismaPg(pool, { statementNameGenerator: statementNames(), disposeExternalPool: true });
    const client = new PrismaClient({ adapter });
    const transact: PrismaService['transact'] = (work) => PrismaService.prototype.transact.call(client, work) as never;
    return Object.assign(client, { transact }) as unknown as PrismaService;
  };

  /** Connections that never break: for looking at what is left. */
  get observer(): PrismaService {
    if (!this.calm) throw new Error('nothing is connected');
    return this.calm;
  }

  /** The statements of `work`, which nothing happens to; those that begin and end transactions are among them. */
  async listen(work: () => Promise<unknown>): Promise<string[]> {
    const sent: string[] = [];
    this.sent = sent;
    await work().finally(() => (this.sent = null));
    return sent;
  }

  /**
   * Carries `work` out while its nth statement breaks the connection, and returns once the server has rolled back: a lock that a dead
   * backend still holds would be another test.
   * @returns the statement, undefined where there was no nth one; and what the worker was told
   */
  async strike(
    nth: number,
    fault: Fault,
    work: () => Promise<unknown>,
  ): Promise<{ statement: string | undefined; error: unknown }> {
    this.chosen = { nth, fault };
    let error: unknown = null;
    const sent = await this.listen(() => work().catch((problem: unknown) => (error = problem)));
    this.chosen = null;
    // Opened while the test looks at what is left: opening takes as long as all of that.
    void this.pool?.connect().then((next) => next.release());
    await this.backendIsGone();
    return { statement: sent[nth - 1], error };
  }

  private async backendIsGone(): Promise<void> {
    const pid = this.lostBackend;
    this.lostBackend = null;
    if (pid === null) return;
    const alive = (): Promise<unknown[]> =>
      this.observer.$queryRaw<unknown[]>`SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}::int`;
    await eventually(async () => (await alive()).length === 0, { everyMs: 1 });
  }

  private wrap(client: Client): void {
    const query = client.query.bind(client) as Query;
    const breakable: Query = (...args) => {
      this.sent?.push((args[0] as { text: string }).text);
      if (!this.chosen || this.sent?.length !== this.chosen.nth) return query(...args);
      const { fault } = this.chosen;
      // A pool asks its clients with a callback, a transaction for a promise.
      const callback = args.findLast((arg) => typeof arg === 'function');
      const asked = args.filter((arg) => arg !== callback);
      const lost = this.lose(client, fault === 'fails' ? null : () => query(...asked));
      return callback ? void lost.catch(callback as (error: unknown) => void) : lost;
    };
    client.query = breakable as typeof client.query;
  }

  private async lose(client: Client, carryOut: (() => unknown) | null): Promise<never> {
    await carryOut?.();
    this.lostBackend = client.processID;
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    client.connection.stream.destroy();
    await ended;
    throw new Error('Connection terminated unexpectedly');
  }
}

/** Each fault costs a new connection, which is slow until it has seen every partition once: one of each table is enough here. */
export function dropMonths(database: TestDatabase): Promise<void> {
  return database.asOwner(`
    DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname !~ '_default$' LOOP
        EXECUTE format('DROP TABLE %I', name);
      END LOOP;
    END $$`);
}

const TABLES = `
  SELECT relname FROM pg_class
   WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_prisma_migrations'`;

export interface KeptRows {
  bringBack(): Promise<unknown>;
  end(): Promise<void>;
}

/**
 * Keeps all rows as they are now. Bringing them back takes a tenth of the time that making them again does; on one connection, since
 * a new one would have to get to know all tables first.
 */
export async function keepRows(database: TestDatabase): Promise<KeptRows> {
  const owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  // The record is append-only for its owner too.
  await owner.query(`
    SET session_replication_role = replica;
    CREATE SCHEMA kept;
    DO $do$ DECLARE name text; BEGIN
      FOR name IN ${TABLES} LOOP EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I', name); END LOOP;
      CREATE FUNCTION kept.bring_back() RETURNS void LANGUAGE plpgsql AS $$ DECLARE name text; BEGIN
        FOR name IN ${TABLES} LOOP
          EXECUTE format('DELETE FROM public.%I', name);
          EXECUTE format('INSERT INTO public.%1$I SELECT * FROM kept.%1$I', name);
        END LOOP;
      END $$;
    END $do$`);
  return { bringBack: () => owner.query('SELECT kept.bring_back()'), end: () => owner.end() };
}
