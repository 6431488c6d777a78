import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrationsDir } from '../src/platform/database/migrate.js';
import { problemLine } from '../src/quickstart/startup-problem.js';
import { diffSchemas } from './schema-diff.js';

const help = `npm run db:diff -- <name>: writes a migration from the schema of the last commit to the one in the working copy.

Go over it by hand: partitions, functions, triggers and storage settings are unknown to Prisma. npm run db:drift then says
whether migrations and schema agree.
`;
const NAME = /^[a-z][a-z0-9_]{0,60}$/;
const root = join(import.meta.dirname, '..');

async function main(): Promise<void> {
  const [name] = process.argv.slice(2);
  if (name === '--help' || name === '-h') {
    process.stdout.write(help);
    return;
  }
  if (name === undefined || !NAME.test(name))
    throw new Error('name the migration, such as npm run db:diff -- add_labels');
  requireCommittedMigrations();
  const sql = await diffSchemas(committedSchema(), await readFile(join(root, 'prisma/schema.prisma'), 'utf8'));
  if (sql.includes('-- This is an empty migration.') || sql.trim() === '') {
    process.stdout.write('The schema has not changed since the last commit\n');
    return;
  }
  const folder = join(migrationsDir, `${timestamp(new Date())}_${name}`);
  await mkdir(folder);
  await writeFile(join(folder, 'migration.sql'), sql);
  process.stdout.write(`Wrote ${join(folder, 'migration.sql')}\n`);
}

/** Its part of the schema's changes would be in the new one a second time. */
function requireCommittedMigrations(): void {
  const open = git('status', '--porcelain', '--', 'prisma/migrations').trim();
  if (open !== '') throw new Error(`a migration is not committed yet; commit or remove it first: ${open}`);
}

function committedSchema(): string | null {
  const isThere = git('ls-tree', '--name-only', 'HEAD', 'prisma/schema.prisma').trim() !== '';
  return isThere ? git('show', 'HEAD:prisma/schema.prisma') : null;
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' });
}

/** 20261124120000, in UTC, as Prisma names its folders. */
function timestamp(now: Date): string {
  return now.toISOString().replace(/\D/g, '').slice(0, 14);
}

main().catch((error: unknown) => {
  process.stderr.write(`${problemLine(error)}\n`);
  process.exitCode = 1;
});
