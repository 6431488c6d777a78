import { migrationsDir } from '../database/migrate.js';
import { migrationNames } from '../database/migration-folder.js';
import type { PrismaService } from './prisma.service.js';
import { sqlState } from './sql-state.js';

/** The table of migrations is not there, or not yet for the service: the migration that grants it is missing at least. */
const NOT_YET = new Set(['42P01', '42501']);

/** Migrations of this release that the database lacks; those of a later release do not matter: they add before they remove. */
export async function missingMigrations(prisma: PrismaService): Promise<string[]> {
  const [names, applied] = await Promise.all([migrationNames(migrationsDir), appliedMigrations(prisma)]);
  return names.filter((name) => !applied.has(name));
}

async function appliedMigrations(prisma: PrismaService): Promise<ReadonlySet<string>> {
  try {
    const rows = await prisma.$queryRaw<{ name: string }[]>`
      SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`;
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    if (NOT_YET.has(sqlState(error) ?? '')) return new Set();
    throw error;
  }
}
