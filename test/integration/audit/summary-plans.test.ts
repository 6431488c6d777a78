import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { HeadReader } from '../../../src/audit/head-reader.js';
import { SUMMARY_GROUPS } from '../../../src/audit/summary-group.js';
import { SummaryReader } from '../../../src/audit/summary-reader.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { RECORD_SETTINGS } from '../../../src/platform/prisma/record-prisma.js';
import type { Principal } from '../../../src/security/principal.js';
import { autovacuum } from '../../support/autovacuum.js';
import { listenToPlans, type Plan } from '../../support/plans.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const DAYS = 90;
const PROJECTS = 20;
const TASKS = 3;
/** Of all projects: of a few of them, Postgres may rather look at each row of a time. */
const OF_AN_HOUR = PROJECTS * TASKS;
const OF_A_DAY = 24 * OF_AN_HOUR;
/** More than the five executions after which Postgres may settle for a plan that knows no values. */
const TIMES = 7;
const LIMIT = 20;
const everyone: Principal = { keyId: '', caller: 'auditor', scopes: ['audit:read'], projects: '*' };
const ours: Principal = { ...everyone, projects: ['project-0', 'project-7'] };

let database: TestDatabase;
let client: pg.Client;
const plans: Plan[] = [];

/** Each hour of each project has its rows: so a day is a small part, and a project as well. */
const HISTORY = `
  CREATE TEMPORARY TABLE hours AS
    SELECT 'project-' || p AS project_id, date_trunc('hour', now()) - n * interval '1 hour' AS hour, 'task-' || t AS task_id
      FROM generate_series(0, ${DAYS * 24 - 1}) AS n, generate_series(0, ${PROJECTS - 1}) AS p, generate_series(1, ${TASKS}) AS t;
  INSERT INTO rollup (project_id, hour, kind, task_id, caller, state, code, count, clusters, calls)
    SELECT project_id, hour, 'target', task_id, 'team', 'succeeded', 'scanned', 1, 0, 1 FROM hours;
  INSERT INTO rollup_time (project_id, hour, span, task_id, caller, state, code, bucket, count)
    SELECT project_id, hour, 'verdict', task_id, 'team', 'succeeded', 'scanned', 40, 1 FROM hours;
  INSERT INTO seal_head (project_id, seq, hash, at) SELECT 'project-' || n % ${PROJECTS}, n, '\\x00', now() FROM generate_series(1, 20000) AS n;
  INSERT INTO seal_key (id, public_key) SELECT 'key-' || n, '\\x00' FROM generate_series(1, 500) AS n;`;

beforeAll(async () => {
  database = await createTestDatabase();
  client = await connectWithin(database.url, 5_000);
  await client.query(HISTORY);
}, 120_000);
afterAll(async () => {
  await client.end();
  await database.drop();
});

const rowsOf = (table: string): number => Math.max(0, ...plans.map(({ rows }) => rows[table] ?? 0));

describe.each([
  ['before any statistics', () => Promise.resolve()],
  ['with the statistics of an autovacuum', () => autovacuum(client)],
])('%s', (_phase, prepare) => {
  beforeAll(async () => void (await prepare()), 60_000);

  it.each(SUMMARY_GROUPS)('a summary by %s of a day reads the rows of a day', async (groupBy) => {
    const prisma = listenToPlans(database.url, (plan) => plans.push(plan));
    const summaries = new SummaryReader(prisma);
    for (let times = 0; times < TIMES; times += 1) {
      for (const [asked, principal] of [
        [{}, everyone],
        [{}, ours],
        [{ projectId: 'project-3' }, everyone],
        [{ taskId: 'task-1', caller: 'team' }, everyone],
      ] as const) {
        plans.length = 0;
        const { items } = await summaries.read({ groupBy, limit: LIMIT, ...asked }, principal);
        expect(items.length > 0).toBe(groupBy !== 'errorCode');
        for (const table of ['rollup', 'rollup_time']) {
          const [read, most] = [rowsOf(table), OF_A_DAY + OF_AN_HOUR];
          expect({ asked, table, read }).toEqual({ asked, table, read: Math.min(read, most) });
        }
        expect(plans.flatMap(({ readWhole }) => readWhole)).toEqual([]);
      }
    }
    await prisma.$disconnect();
  });

  it('a page of heads is read from the end of an index, and no more keys than are shown', async () => {
    const prisma = listenToPlans(database.url, (plan) => plans.push(plan), RECORD_SETTINGS);
    const heads = new HeadReader(prisma);
    plans.length = 0;
    const first = await heads.list({ projectId: 'project-3', limit: LIMIT }, everyone);
    await heads.list({ projectId: 'project-3', limit: LIMIT, cursor: first.nextCursor ?? '' }, everyone);
    expect(first.items).toHaveLength(LIMIT);
    expect(rowsOf('seal_head')).toBe(LIMIT + 1);
    expect(await heads.keys()).toHaveLength(100);
    await prisma.$disconnect();
  });
});
