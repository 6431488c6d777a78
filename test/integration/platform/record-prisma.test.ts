import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { RecordPrisma } from '../../../src/platform/prisma/record-prisma.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let database: TestDatabase;
let record: RecordPrisma;

beforeAll(async () => {
  database = await createTestDatabase();
  record = new RecordPrisma(database.url, 3);
});
afterAll(async () => {
  await record.$disconnect();
  await database.drop();
});

it('whoever reads the record is the service, compiles nothing, and writes nothing by mistake', async () => {
  const [who] = await record.$queryRaw<unknown[]>`SELECT current_user AS role, current_setting('jit') AS jit`;
  expect(who).toEqual({ role: 'rescan_service', jit: 'off' });
  await expect(record.project.create({ data: { id: 'p' } })).rejects.toThrow('read-only');
});

it('a statement is planned once, and not for each of the values that it is asked with', async () => {
  await record.$transaction(async (tx) => {
    const values = [...Array(12).keys()];
    for (const value of values) await tx.$queryRaw`SELECT id FROM project WHERE id = ${String(value)}`;
    const plans = await tx.$queryRaw<unknown[]>`
      SELECT generic_plans::int AS once, custom_plans::int AS each FROM pg_prepared_statements WHERE statement LIKE '%FROM project%'
         AND statement NOT LIKE '%pg_prepared_statements%'`;
    expect(plans).toEqual([{ once: values.length, each: 0 }]);
  });
});

it('readers of the record can take up their own connections, and none of those that work is done with', async () => {
  const connections = (): Promise<{ pid: number }[]> =>
    record.$queryRaw`SELECT pg_backend_pid() AS pid FROM pg_sleep(0.2)`;
  const asked = await Promise.all([...Array(12)].map(connections));
  expect(new Set(asked.flat().map(({ pid }) => pid)).size).toBe(3);
});
