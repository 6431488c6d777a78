import { applyMigrations, migrationsDir } from '../../src/platform/database/migrate.js';
import type { DataFolder } from '../../src/quickstart/data-folder.js';
import { openEmbeddedPostgres } from '../../src/quickstart/postgres/embedded-postgres.js';
import { recordedPostmaster } from '../../src/quickstart/postgres/postmaster.js';
import type { Startup } from '../../src/quickstart/startup.js';
import { openThrowawayFolder } from '../../test/support/throwaway-postgres.js';

/** What a benchmark runs on. */
export interface Stage {
  readonly startup: Startup;
  readonly folder: DataFolder;
  /** A migrated database; `createTestDatabase` clones it as long as nobody is connected to it. */
  readonly databaseUrl: string;
  readonly postmasterPid: number;
  readonly say: (line: string) => void;
}

/** An embedded Postgres as `npm start` has it: durable, with its default settings. */
export async function openStage(startup: Startup, say: (line: string) => void): Promise<Stage> {
  const folder = await openThrowawayFolder(startup);
  const postgres = await startup.add(
    () => openEmbeddedPostgres(folder, { report: say, signal: startup.signal }),
    (server) => server.close(),
  );
  await applyMigrations(postgres.url, migrationsDir);
  process.env['RESCAN_TEST_TEMPLATE_URL'] = postgres.url;
  const postmaster = await recordedPostmaster(`${postgres.home}/data`);
  return { startup, folder, databaseUrl: postgres.url, postmasterPid: postmaster?.pid ?? 0, say };
}
