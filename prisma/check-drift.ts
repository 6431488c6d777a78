import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { connectWithin } from '../src/platform/database/connect.js';
import { applyMigrations, migrationsDir } from '../src/platform/database/migrate.js';
import { problemLine } from '../src/quickstart/startup-problem.js';
import { Startup } from '../src/quickstart/startup.js';
import { openThrowawayFolder, startThrowawayPostgres } from '../test/support/throwaway-postgres.js';
import { diffSchemas } from './schema-diff.js';
import { differences, readStructure } from './structure.js';

const help = `npm run db:drift: says where the migrations and prisma/schema.prisma differ in enums, columns, keys and indexes.
`;

/** Those that column defaults call: a migration brings them, and Prisma does not know them. */
const DEFAULT_FUNCTIONS = `
  SELECT DISTINCT pg_get_functiondef(d.refobjid) AS definition FROM pg_depend d
   WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384`;

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(help);
    return;
  }
  const startup = new Startup();
  try {
    const found = await findDrift(await startThrowawayPostgres(startup, await openThrowawayFolder(startup)));
    process.stdout.write(`${found.length === 0 ? 'Migrations and schema agree' : found.join('\n')}\n`);
    if (found.length > 0) process.exitCode = 1;
  } finally {
    await startup.stop();
  }
}

async function findDrift(url: string): Promise<string[]> {
  await applyMigrations(url, migrationsDir);
  return withClient(url, async (migrated) => {
    await migrated.query('CREATE DATABASE from_schema');
    return withClient(Object.assign(new URL(url), { pathname: '/from_schema' }).href, async (fresh) => {
      const functions = await migrated.query<{ definition: string }>(DEFAULT_FUNCTIONS);
      for (const { definition } of functions.rows) await fresh.query(definition);
      await fresh.query(await diffSchemas(null, await readFile(join(import.meta.dirname, 'schema.prisma'), 'utf8')));
      return differences(await readStructure(migrated), await readStructure(fresh));
    });
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectWithin(url, 5_000);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${problemLine(error)}\n`);
  process.exitCode = 1;
});
