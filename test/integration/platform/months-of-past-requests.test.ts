import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PastRequestLedger } from '../../../src/ledger/past-requests.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { applyMigrations, migrationsDir } from '../../../src/platform/database/migrate.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Startup } from '../../../src/quickstart/startup.js';
import { createTestFolder } from '../../support/test-folder.js';
import { openThrowawayFolder, startThrowawayPostgres } from '../../support/throwaway-postgres.js';

const MIGRATION = '20261126153011_past_requests';
const REQUESTS_OF_BEFORE = `
  INSERT INTO scan_task (project_id, task_id, enterprise_project_id) VALUES ('p-1', 'task-1', '0');
  INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, labels, source, expires_at, resolved,
                       next_due_at, state, finished_at, total, waiting, succeeded)
  SELECT uuidv7(age), id, 'p-1', 'team-a', uuidv7(), 'specific_cluster', 0, 1, '{}', 'api', 'infinity', true, 'infinity', 'finished',
         now() + age, 1, 0, 1
    FROM scan_task, unnest(ARRAY['-100 days', '-40 days', '0']::interval[]) AS age;
  INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, result)
  SELECT id, scan_task_id, 1, 'c-1', 0, 'done', now(), 'succeeded' FROM request`;

const startup = new Startup();
let url: string;
beforeAll(async () => {
  url = await startThrowawayPostgres(startup, await openThrowawayFolder(startup));
});
afterAll(() => startup.stop());

it('requests of before have their months as well, and none comes to lie where nothing is ever dropped', async () => {
  const folder = await createTestFolder('migrations');
  for (const name of await readdir(migrationsDir)) {
    if (name < MIGRATION || !/^\d/.test(name))
      await cp(join(migrationsDir, name), join(folder, name), { recursive: true });
  }
  await applyMigrations(url, folder);
  const client = await connectWithin(url, 5_000);
  await client.query(REQUESTS_OF_BEFORE);
  await applyMigrations(url, migrationsDir);
  const prisma = new PrismaService(url, 1);
  expect(await new PastRequestLedger(prisma).move(0)).toBe(3);
  await prisma.$disconnect();
  const { rows } = await client.query<{ request: string; target: string; month: string }>(
    `SELECT r.tableoid::regclass::text AS request, t.tableoid::regclass::text AS target,
            to_char(uuid_extract_timestamp(r.id) AT TIME ZONE 'UTC', 'YYYY_MM') AS month
       FROM past_request AS r JOIN past_target AS t ON t.request_id = r.id`,
  );
  expect(rows).toHaveLength(3);
  for (const { request, target, month } of rows) {
    expect([request, target]).toEqual([`past_request_${month}`, `past_target_${month}`]);
  }
  await client.end();
}, 60_000);
