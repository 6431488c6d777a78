import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { CallExport } from '../../../src/audit/call-export.js';
import { EventExport } from '../../../src/audit/event-export.js';
import type { ExportSource } from '../../../src/audit/export-scope.js';
import { TargetExport } from '../../../src/audit/target-export.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import type { RecordPrisma } from '../../../src/platform/prisma/record-prisma.js';
import { autovacuum } from '../../support/autovacuum.js';
import { sealAll, writeHistory } from '../../support/history.js';
import { moveAll } from '../../support/past-requests.js';
import { listenToPlans, OF_READERS, type Plan } from '../../support/plans.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const PAGES = 3;
const ROWS = 200;
const PROJECTS = 10;
const GROWING = [
  'target',
  'request',
  'past_target',
  'past_request',
  'call',
  'call_request',
  'scan_task',
  'event',
  'event_seal',
];

let database: TestDatabase;
let sql: pg.Client;
let prisma: RecordPrisma;
let mover: PrismaService;
const plans: Plan[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  sql = await connectWithin(database.url, 5_000);
  await writeHistory(sql, { first: 0, tasks: 6_000, clustersPerTask: 3, projects: PROJECTS });
  await writeHistory(sql, { first: 6_000, tasks: 1, clustersPerTask: 20_000, projects: PROJECTS });
  await sealAll(sql);
  mover = new PrismaService(database.url, 1);
}, 120_000);
afterAll(async () => {
  await mover.$disconnect();
  await sql.end();
  await database.drop();
});

describe.each([
  ['before any statistics', () => Promise.resolve()],
  ['with the statistics of an autovacuum', () => autovacuum(sql)],
  ['with fresh statistics of everything', () => sql.query('VACUUM ANALYZE')],
  ['with its requests moved to where months are kept', () => moveAll(mover)],
  ['and with the statistics of these', () => autovacuum(sql)],
])('%s', (_phase, prepare) => {
  beforeAll(async () => {
    await prepare();
    prisma = listenToPlans(database.url, (plan) => plans.push(plan), OF_READERS);
  }, 120_000);
  afterAll(() => prisma.$disconnect());

  describe.each<[string, (db: RecordPrisma) => ExportSource]>([
    ['calls', (db) => new CallExport(db)],
    ['targets', (db) => new TargetExport(db)],
    ['events', (db) => new EventExport(db)],
  ])('a page of %s', (_kind, sourceOf) => {
    it.each([
      ['all projects', '*' as const],
      ['one project', ['project-0']],
      ['some projects', ['project-0', 'project-3', 'project-7']],
    ])('of %s reads what it shows, and no table from end to end', async (_whose, projects) => {
      const source = sourceOf(prisma);
      plans.length = 0;
      await source.scope({ projects, since: new Date(), until: new Date(Date.now() + 3_600_000) });
      for (const { readWhole } of plans) expect(readWhole.filter((table) => GROWING.includes(table))).toEqual([]);
      const scope = await source.scope({ projects, since: new Date(0), until: new Date('2100-01-01T00:00:00Z') });
      let after: string | null = null;
      for (let page = 0; page < PAGES; page += 1) {
        plans.length = 0;
        const lines = await source.page(scope, after, ROWS);
        expect({ page, shows: lines.length > 0 || page > 2 }).toEqual({ page, shows: true });
        const last = lines.at(-1);
        if (last !== undefined) after = source.keyOf(JSON.parse(last));
        for (const { sql: statement, rows: read, readWhole, buffers } of plans) {
          const tooMany = Object.entries(read).filter(([table, n]) => GROWING.includes(table) && n > 8 * ROWS);
          const whole = readWhole.filter((table) => GROWING.includes(table));
          expect({ statement: statement.slice(0, 80), whole, tooMany }).toMatchObject({ whole: [], tooMany: [] });
          expect(buffers).toBeLessThan(60 * ROWS);
        }
        expect(plans.length).toBeGreaterThan(0);
      }
    });
  });
});
