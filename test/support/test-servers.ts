import { applyMigrations, migrationsDir } from '../../src/platform/database/migrate.js';
import type { DataFolder } from '../../src/quickstart/data-folder.js';
import { Startup } from '../../src/quickstart/startup.js';
import { findRedis, startRedis } from './redis-server.js';
import { openThrowawayFolder, removeLeftovers, startThrowawayPostgres } from './throwaway-postgres.js';

export interface TestServers {
  stop(): Promise<void>;
}

/** One Postgres with a migrated template and one Redis for the whole run; the tests find them in the environment. */
export async function startTestServers(): Promise<TestServers> {
  await removeLeftovers();
  const startup = new Startup();
  try {
    const redisProgram = process.env['REDIS_URL'] ? null : findRedis();
    const folder = await openThrowawayFolder(startup);
    const [templateUrl, redisUrl] = await Promise.all([
      startTemplate(startup, folder),
      redisProgram === null ? process.env['REDIS_URL'] : startTestRedis(startup, redisProgram, folder),
    ]);
    process.env['RESCAN_TEST_TEMPLATE_URL'] = templateUrl;
    process.env['RESCAN_TEST_REDIS_URL'] = redisUrl;
    process.env['RESCAN_TEST_FOLDER'] = folder.path;
    return { stop: () => startup.stop() };
  } catch (error) {
    await startup.stop();
    throw error;
  }
}

async function startTemplate(startup: Startup, folder: DataFolder): Promise<string> {
  const url = await startThrowawayPostgres(startup, folder);
  await applyMigrations(url, migrationsDir);
  return url;
}

async function startTestRedis(startup: Startup, program: string, folder: DataFolder): Promise<string> {
  const redis = await startup.add(
    () => startRedis(program, folder.path),
    (server) => server.stop(),
  );
  return redis.url;
}
