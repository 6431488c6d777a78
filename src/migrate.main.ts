import { applyMigrations, migrationsDir } from './platform/database/migrate.js';
import { problemLine } from './quickstart/startup-problem.js';

const help = `npm run db:migrate: applies the migrations that the database lacks, and waits for a database that is starting.

  DATABASE_URL   the database, PostgreSQL 18 or newer

Several processes may run it at once: one works, the others wait for it. A migration that fails is rolled back as a whole.
`;

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(help);
    return;
  }
  const databaseUrl = process.env['DATABASE_URL'];
  if (!databaseUrl) throw new Error('set DATABASE_URL to the database to migrate');
  const { applied } = await applyMigrations(databaseUrl, migrationsDir);
  const lines = applied.length > 0 ? applied.map((name) => `Applied ${name}`) : ['Nothing to apply'];
  process.stdout.write(`${lines.join('\n')}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${problemLine(error)}\n`);
  process.exitCode = 1;
});
