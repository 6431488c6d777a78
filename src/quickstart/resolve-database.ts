import { join } from 'node:path';
import { applyMigrations, migrationsDir } from '../platform/database/migrate.js';
import { DataFolder } from './data-folder.js';
import { lockHolder } from './folder-lock.js';
import { openEmbeddedPostgres, rememberedUrl } from './postgres/embedded-postgres.js';
import { recordedPostmaster } from './postgres/postmaster.js';
import { homeOf, readSettings } from './postgres/settings.js';
import { Startup } from './startup.js';
import { StartupProblem } from './startup-problem.js';

export interface ResolvedDatabase {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The service's database, for a tool that runs beside it: DATABASE_URL; else the embedded one that is running on DATA_DIR;
 * else that one, started and migrated for as long as the tool needs it.
 */
export async function resolveDatabase(env: NodeJS.ProcessEnv): Promise<ResolvedDatabase> {
  if (env['DATABASE_URL']) return { url: env['DATABASE_URL'], close: () => Promise.resolve() };
  const folder = DataFolder.locate(env);
  if ((await lockHolder(folder.path)) !== null)
    return { url: await runningUrl(folder), close: () => Promise.resolve() };
  return startForNow(folder);
}

async function runningUrl(folder: DataFolder): Promise<string> {
  const settings = await readSettings(folder);
  const postmaster = await recordedPostmaster(join(homeOf(folder, settings), 'data'));
  const url = await rememberedUrl(folder);
  if (url !== null && postmaster?.isReady) return url;
  throw new StartupProblem(
    `rescan is starting on ${folder.path} and its database is not up yet: try again in a moment`,
  );
}

async function startForNow(folder: DataFolder): Promise<ResolvedDatabase> {
  const startup = new Startup();
  try {
    await startup.add(
      () => folder.lock(),
      (lock) => lock.release(),
    );
    const options = { report: () => undefined, signal: startup.signal };
    const postgres = await startup.add(
      () => openEmbeddedPostgres(folder, options),
      (server) => server.close(),
    );
    await applyMigrations(postgres.url, migrationsDir);
    return { url: postgres.url, close: () => startup.stop() };
  } catch (error) {
    await startup.stop();
    throw error;
  }
}
