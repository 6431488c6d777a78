import type { RecordPrisma } from '../platform/prisma/record-prisma.js';

/**
 * A UUIDv7 below which no row can appear any more, of calls and of requests: each gets its id after its transaction began. Transactions
 * that begin while this is read make ids above its own beginning, which is among them. Statements that rely on it must begin after it.
 *
 * Sessions of another database role hide when their transactions began, so only the service's own role may write calls and requests.
 * Autovacuum writes none, and may run for hours.
 */
export async function idHorizon(prisma: RecordPrisma): Promise<string> {
  const [row] = await prisma.$queryRaw<{ horizon: string }[]>`
    SELECT uuidv7_floor(date_trunc('milliseconds', min(xact_start)))::text AS horizon
      FROM pg_stat_activity WHERE datname = current_database() AND backend_type <> 'autovacuum worker'`;
  if (!row) throw new Error('an aggregate without a row');
  return row.horizon;
}
