import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { requireServiceRole } from '../../../src/platform/database/service-role.js';
import { CallingWorld } from '../../support/calling-world.js';

let world: CallingWorld;
beforeAll(async () => {
  world = await CallingWorld.open();
  await world.aRequest({ clusterIds: ['a'] });
});
afterAll(() => world.close());

const DENIED = /permission denied|must be owner/;
const say = (statement: string): Promise<unknown> => world.prisma.$executeRawUnsafe(statement);

describe('the connection of the service', () => {
  const forbidden = ['event', 'event_seal'].flatMap((table) => [
    `UPDATE ${table} SET event_id = NULL`.replace('event SET event_id', 'event SET actor'),
    `DELETE FROM ${table}`,
    `TRUNCATE ${table}`,
    `DROP TABLE ${table}`,
    `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
    `DROP TRIGGER append_only ON ${table}`,
    `DELETE FROM ${table}_default`,
    `DELETE FROM ${table}_${new Date().toISOString().slice(0, 7).replace('-', '_')}`,
  ]);

  it.each([
    ...forbidden,
    'SET session_replication_role = replica',
    'DROP FUNCTION refuse_change() CASCADE',
    'CREATE TABLE event_2000_01 (id int)',
    'DROP TABLE call',
    'TRUNCATE request',
  ])('is refused %s, by privilege', async (statement) => {
    await expect(say(statement)).rejects.toThrow(DENIED);
  });

  it('is refused it after RESET ROLE as well', async () => {
    await expect(
      world.prisma.transact(async (tx) => {
        await tx.$executeRaw`RESET ROLE`;
        await tx.$executeRaw`DELETE FROM event`;
      }),
    ).rejects.toThrow(DENIED);
  });

  it('writes and reads every table but these, and adds partitions to them all the same', async () => {
    const rights = await world.prisma.$queryRaw<{ name: string; rights: string }[]>`
      SELECT relname AS name, concat_ws(',', CASE WHEN has_table_privilege(oid, 'SELECT') THEN 'r' END,
             CASE WHEN has_table_privilege(oid, 'INSERT') THEN 'a' END, CASE WHEN has_table_privilege(oid, 'UPDATE') THEN 'w' END,
             CASE WHEN has_table_privilege(oid, 'DELETE') THEN 'd' END) AS rights
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
         AND relname <> '_prisma_migrations' ORDER BY relname`;
    const appendOnly = rights.filter((one) => one.rights !== 'r,a,w,d');
    expect(appendOnly).toEqual([
      { name: 'event', rights: 'r,a' },
      { name: 'event_seal', rights: 'r,a' },
      { name: 'seal_head', rights: 'r,a' },
      { name: 'seal_key', rights: 'r,a' },
    ]);
    expect(await world.prisma.$queryRaw`SELECT ensure_partitions(4) > 0 AS made`).toEqual([{ made: true }]);
    const [part] = await world.prisma.$queryRaw<{ may: boolean }[]>`
      SELECT bool_or(has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS may FROM pg_class
       WHERE relispartition AND relkind = 'r'`;
    expect(part).toEqual({ may: false });
  });

  it('sees when the transactions of others began', async () => {
    const owner = await connectWithin(world.database.url, 5_000);
    try {
      await owner.query('BEGIN');
      const { rows } = await owner.query<{ at: Date; pid: number }>('SELECT now() AS at, pg_backend_pid() AS pid');
      const seen = await world.prisma.$queryRaw<{ at: Date }[]>`
        SELECT xact_start AS at FROM pg_stat_activity WHERE pid = ${rows[0]?.pid}::int`;
      expect(seen).toEqual([{ at: rows[0]?.at }]);
    } finally {
      await owner.end();
    }
  });
});

describe('a login', () => {
  async function asLogin(work: (url: string) => Promise<void>): Promise<void> {
    const name = `login_${world.database.url.slice(-12)}`;
    await world.database.asOwner(`CREATE ROLE ${name} LOGIN PASSWORD 'of-no-use-elsewhere'`);
    try {
      await work(Object.assign(new URL(world.database.url), { username: name, password: 'of-no-use-elsewhere' }).href);
    } finally {
      await world.database.asOwner(`DROP ROLE ${name}`);
    }
  }

  async function standing(url: string): Promise<void> {
    const login = await connectWithin(url, 5_000);
    await requireServiceRole(login).finally(() => login.end());
  }

  it('that may not take the role is told what to grant, and may start then', () =>
    asLogin(async (url) => {
      const { username } = new URL(url);
      await expect(standing(url)).rejects.toThrow(`run GRANT rescan_service TO "${username}"`);
      await world.database.asOwner(`GRANT rescan_service TO ${username}`);
      await expect(standing(url)).resolves.toBeUndefined();
    }));
});
