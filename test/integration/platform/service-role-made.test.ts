import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { applyMigrations, migrationsDir } from '../../../src/platform/database/migrate.js';
import { requireServiceRole } from '../../../src/platform/database/service-role.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Startup } from '../../../src/quickstart/startup.js';
import { openThrowawayFolder, startThrowawayPostgres } from '../../support/throwaway-postgres.js';

/** Roles belong to a whole server: only one of its own is without this one. */
const startup = new Startup();
let administrator: string;
beforeAll(async () => {
  administrator = await startThrowawayPostgres(startup, await openThrowawayFolder(startup));
});
afterAll(() => startup.stop());

async function say(...statements: string[]): Promise<void> {
  const client = await connectWithin(administrator, 5_000);
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** A database that is the login's own, and its URL. */
async function databaseOf(login: string, attributes = ''): Promise<string> {
  await say(
    `CREATE ROLE ${login} LOGIN PASSWORD 'of-no-use-elsewhere' ${attributes}`,
    `CREATE DATABASE of_${login} OWNER ${login}`,
  );
  return Object.assign(new URL(administrator), {
    username: login,
    password: 'of-no-use-elsewhere',
    pathname: `/of_${login}`,
  }).href;
}

const migrate = (url: string): Promise<unknown> => applyMigrations(url, migrationsDir);

async function standing(url: string): Promise<void> {
  const login = await connectWithin(url, 5_000);
  await requireServiceRole(login).finally(() => login.end());
}

describe('the role of the service', () => {
  it('is asked for where migrations may not make it, and nothing of them remains', async () => {
    const url = await databaseOf('humble');
    await expect(standing(url)).rejects.toThrow('has no role rescan_service: run "node dist/migrate.main.js" first');
    await expect(migrate(url)).rejects.toThrow('"humble" may not create it: have an administrator run CREATE ROLE');
  });

  it('is made by migrations that may, for all databases, also by two of them at once', async () => {
    const [one, other] = [await databaseOf('one', 'CREATEROLE'), await databaseOf('other', 'CREATEROLE')];
    await Promise.all([migrate(one), migrate(other)]);
    await say('GRANT rescan_service TO humble');
    const humble = Object.assign(new URL(one), { username: 'humble', pathname: '/of_humble' }).href;
    await migrate(humble);
  });

  it('is enough for the service once it sees the sessions of others, which an administrator lets it', async () => {
    const url = Object.assign(new URL(administrator), {
      username: 'humble',
      password: 'of-no-use-elsewhere',
      pathname: '/of_humble',
    }).href;
    await expect(standing(url)).rejects.toThrow('run GRANT pg_read_all_stats TO rescan_service');
    await say('GRANT pg_read_all_stats TO rescan_service');
    await standing(url);
    const prisma = new PrismaService(url, 1);
    try {
      expect(await prisma.$queryRaw`SELECT current_user::text AS role, session_user::text AS login`).toEqual([
        { role: 'rescan_service', login: 'humble' },
      ]);
      expect(await prisma.$queryRaw`SELECT ensure_partitions(3) > 0 AS made`).toEqual([{ made: true }]);
    } finally {
      await prisma.$disconnect();
    }
  });
});
