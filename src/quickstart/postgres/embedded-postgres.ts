import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { connectWithin } from '../../platform/database/connect.js';
import type { DataFolder } from '../data-folder.js';
import { ended } from '../tied-process.js';
import { serverAccount } from './account.js';
import { findBinaries } from './binaries.js';
import { ensureCluster, SUPERUSER, type Cluster } from './cluster.js';
import { homeOf, prepareSettings, readSettings } from './settings.js';
import { startServer, stopServer } from './server.js';

export const DATABASE = 'rescan';

export interface EmbeddedOptions {
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
  /** Called once when the server ended by itself and could not be brought back. */
  readonly onLost?: (problem: unknown) => void;
  readonly durable?: boolean;
}

/** Starts Postgres on the data folder, which the caller has locked, with an empty database if there was none. */
export async function openEmbeddedPostgres(folder: DataFolder, options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { report, signal, durable = true } = options;
  const account = await serverAccount(join(homeOf(folder, await readSettings(folder)), 'data'));
  const binaries = await findBinaries(account, folder.path, report);
  const settings = await prepareSettings(folder, account, report);
  const home = homeOf(folder, settings);
  const { port, password } = settings;
  const paths = { home, data: join(home, 'data'), log: folder.file('postgres.log') };
  const cluster: Cluster = { ...paths, binaries, account, port, password, durable };
  await ensureCluster(cluster, signal);
  const postgres = new EmbeddedPostgres(cluster, options, await startServer(cluster, signal));
  try {
    await ensureDatabase(cluster);
  } catch (error) {
    await postgres.close();
    throw error;
  }
  return postgres;
}

/** A running server, brought back whenever it dies, under the same address. */
export class EmbeddedPostgres {
  readonly url: string;
  readonly #cluster: Cluster;
  readonly #options: EmbeddedOptions;
  readonly #closing = new AbortController();
  /** The server that runs or is being brought back; rejects when that failed. */
  #server: Promise<ChildProcess>;

  constructor(cluster: Cluster, options: EmbeddedOptions, server: ChildProcess) {
    this.url = urlOf(cluster, DATABASE);
    this.#cluster = cluster;
    this.#options = options;
    this.#server = Promise.resolve(server);
    void this.#bringBackAfter(server);
  }

  /** Where the database lies. */
  get home(): string {
    return this.#cluster.home;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const server = await this.#server.catch(() => null); // Told to onLost, or ended by this very close.
    if (server !== null) await stopServer(server);
  }

  async #bringBackAfter(server: ChildProcess): Promise<void> {
    await ended(server);
    if (this.#closing.signal.aborted) return;
    this.#options.report('The embedded Postgres ended by itself; starting it again');
    this.#server = startServer(this.#cluster, this.#closing.signal);
    try {
      void this.#bringBackAfter(await this.#server);
    } catch (problem) {
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- close() may have come meanwhile
      if (!this.#closing.signal.aborted) this.#options.onLost?.(problem);
    }
  }
}

function urlOf(cluster: { port: number; password: string }, database: string): string {
  return `postgresql://${SUPERUSER}:${cluster.password}@127.0.0.1:${cluster.port}/${database}`;
}

/** The address of the folder's database, running or not; null before the first start. */
export async function rememberedUrl(folder: DataFolder): Promise<string | null> {
  const settings = await readSettings(folder);
  return settings === null ? null : urlOf(settings, DATABASE);
}

async function ensureDatabase(cluster: Cluster): Promise<void> {
  const client = await connectWithin(urlOf(cluster, 'postgres'), 5_000);
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}
