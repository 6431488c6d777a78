import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { CallReader } from '../../../src/audit/call-reader.js';
import { CallQueryDto } from '../../../src/audit/call-query.dto.js';
import { ClusterHistoryReader } from '../../../src/audit/cluster-history-reader.js';
import { EventQueryDto } from '../../../src/audit/event-query.dto.js';
import { EventReader } from '../../../src/audit/event-reader.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import type { RecordPrisma } from '../../../src/platform/prisma/record-prisma.js';
import type { Principal } from '../../../src/security/principal.js';
import { writeHistory, type History } from '../../support/audit-history.js';
import { autovacuum } from '../../support/autovacuum.js';
import { moveAll } from '../../support/past-requests.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';
import { listenToPlans, OF_READERS, type Plan } from '../../support/plans.js';

const PROJECTS = 10;
const LIMIT = 20;
/** Of each project, and of each state or effect of it where one of these is asked for, a page's rows at most. */
const ROWS = PROJECTS * (LIMIT + 1) * 2;
/** Calls of a cluster are found through its targets, all of them. */
const OF_A_CLUSTER = 1_000;
const BUFFERS = 4_000;
const LARGE = [
  'target',
  'request',
  'past_target',
  'past_request',
  'call',
  'call_request',
  'call_tag',
  'scan_task',
  'scan_item',
  'event',
  'event_text',
];

const everyone: Principal = { keyId: '', caller: 'auditor', scopes: ['audit:read'], projects: '*' };
/** One of the projects has nearly everything, the other nearly nothing. */
const ours: Principal = { ...everyone, projects: ['project-0', 'project-7'] };
const principals = [everyone, ours];

const plans: Plan[] = [];
let database: TestDatabase;
let client: pg.Client;
let prisma: RecordPrisma;
let mover: PrismaService;
let history: History;

beforeAll(async () => {
  database = await createTestDatabase();
  client = await connectWithin(database.url, 5_000);
  mover = new PrismaService(database.url, 1);
  await client.query(`
    INSERT INTO project (id) VALUES ('elsewhere');
    INSERT INTO scan_task (project_id, task_id, enterprise_project_id) SELECT 'elsewhere', 'task-' || n, '0' FROM generate_series(1, 20000) AS n`);
  history = await writeHistory(client, { calls: 20_000, projects: PROJECTS });
}, 300_000);
afterAll(async () => {
  await mover.$disconnect();
  await client.end();
  await database.drop();
});

/** Reads the first page and the one after it: Postgres plans each statement once, and knows no values when it does. */
async function expectBounded(
  what: object,
  read: (cursor: { cursor?: string }) => Promise<{ items: readonly unknown[]; nextCursor: string | null }>,
  rowsWanted: 'some' | 'full',
): Promise<void> {
  plans.length = 0;
  const { items, nextCursor } = await read({});
  expect([what, items.length > 0, items.length === LIMIT]).toEqual([what, true, rowsWanted === 'full']);
  if (nextCursor !== null) await read({ cursor: nextCursor });
  expect(plans).not.toHaveLength(0);
  for (const { sql, rows, buffers, readWhole } of plans) {
    const statement = sql.replace(/\s+/g, ' ').trim().slice(0, 200);
    const whole = readWhole.filter((table) => LARGE.includes(table));
    const tooMany = Object.entries(rows).filter(
      ([table, read]) => LARGE.includes(table) && read > ('clusterId' in what ? OF_A_CLUSTER : ROWS),
    );
    expect({ what, statement, whole, tooMany }).toEqual({ what, statement, whole: [], tooMany: [] });
    expect({ what, statement, buffers }).toEqual({ what, statement, buffers: Math.min(buffers, BUFFERS) });
  }
}

describe.each([
  ['before any statistics', () => Promise.resolve()],
  ['with the statistics of an autovacuum', () => autovacuum(client)],
  ['with fresh statistics of everything', () => client.query('VACUUM ANALYZE')],
  ['with its requests moved to where they are kept by months', () => moveAll(mover)],
  ['and with the statistics of these', () => autovacuum(client)],
])('%s', (_phase, prepare) => {
  beforeAll(async () => {
    await prepare();
    prisma = listenToPlans(database.url, (plan) => plans.push(plan), OF_READERS);
  }, 120_000);
  afterAll(() => prisma.$disconnect());

  it('a page of calls is read from the end of an index, whatever is asked for', async () => {
    const calls = new CallReader(prisma);
    const { oldest } = history;
    // What nearly all have, and what only the oldest few do.
    const filters: readonly [Partial<CallQueryDto>, 'full' | 'some'][] = [
      [{}, 'full'],
      [{ projectId: 'project-0' }, 'full'],
      [{ projectId: 'project-7' }, 'full'],
      [{ taskId: 'task-0' }, 'full'],
      [{ taskId: 'task-rare' }, 'some'],
      [{ state: 'accepted' }, 'full'],
      [{ state: 'unknown' }, 'some'],
      [{ effect: 'renewed' }, 'full'],
      [{ effect: 'kept' }, 'some'],
      [{ state: 'accepted', effect: 'renewed' }, 'full'],
      [{ errorCode: 'APIGW.0308' }, 'full'],
      [{ errorCode: 'HSS.rare' }, 'some'],
      [{ httpStatus: 200 }, 'full'],
      [{ httpStatus: 418 }, 'some'],
      [{ credential: 'main' }, 'full'],
      [{ credential: 'rare' }, 'some'],
      [{ upstreamRequestId: 'up-1' }, 'some'],
      [{ caller: 'bench' }, 'full'],
      [{ caller: 'rare' }, 'some'],
      [{ label: 'env:prod' }, 'full'],
      [{ label: 'env:rare' }, 'some'],
      [{ caller: 'rare', label: 'env:rare' }, 'some'],
      [{ clusterId: 'often' }, 'full'],
      [{ clusterId: 'rare' }, 'some'],
      [{ since: oldest }, 'full'],
      [{ until: new Date(oldest.getTime() + 2) }, 'some'],
      [{ caller: 'bench', until: new Date(oldest.getTime() + 3_600_000) }, 'full'],
    ];
    for (const principal of principals) {
      for (const [filter, wanted] of filters) {
        const what = { ...filter, projects: principal.projects };
        await expectBounded(what, (cursor) => calls.list({ limit: LIMIT, ...filter, ...cursor }, principal), wanted);
      }
      const read = (cursor: object) =>
        calls.listOfRequest(history.largeRequest, { limit: LIMIT, ...cursor }, principal);
      await expectBounded({ of: 'request' }, read, 'full');
    }
  }, 300_000);

  it('a page of events is read from the end of an index, whatever is asked for', async () => {
    const events = new EventReader(prisma);
    const { oldest, largeRequest, largeCall, schedule } = history;
    const filters: readonly [Partial<EventQueryDto>, 'full' | 'some'][] = [
      [{}, 'full'],
      [{ projectId: 'project-0' }, 'full'],
      [{ kind: 'call.started' }, 'full'],
      [{ kind: 'request.cancelled' }, 'some'],
      [{ actor: 'rescan' }, 'full'],
      [{ actor: 'rare' }, 'some'],
      [{ laneId: 'main.retryTask' }, 'full'],
      [{ laneId: 'rare.retryTask' }, 'some'],
      [{ requestId: largeRequest }, 'full'],
      [{ callId: largeCall }, 'full'],
      [{ scheduleId: schedule }, 'some'],
      [{ kind: 'call.started', until: new Date(oldest.getTime() + 3_600_000) }, 'full'],
    ];
    for (const principal of principals) {
      for (const [filter, wanted] of filters) {
        const what = { ...filter, projects: principal.projects };
        await expectBounded(what, (cursor) => events.list({ limit: LIMIT, ...filter, ...cursor }, principal), wanted);
      }
    }
    const ofNone: Partial<EventQueryDto> = { kind: 'lane.paused' };
    await expectBounded(ofNone, (cursor) => events.list({ limit: LIMIT, ...ofNone, ...cursor }, everyone), 'some');
  }, 300_000);

  it('a call is read by its id, and its targets by theirs', async () => {
    const calls = new CallReader(prisma);
    const find = async () => ({ items: [await calls.find(history.largeCall, everyone)], nextCursor: null });
    await expectBounded({ call: 'by id' }, find, 'some');
    const targets = (cursor: object) => calls.targets(history.largeCall, { limit: LIMIT, ...cursor }, everyone);
    await expectBounded({ targetsOf: 'a call' }, targets, 'some');
  });

  it('the trace of a request reads its own events, and the history of a cluster its newest targets', async () => {
    const trace = (cursor: object) =>
      new EventReader(prisma).trace(history.largeRequest, { limit: LIMIT, ...cursor }, ours);
    await expectBounded({ trace: 'of a request' }, trace, 'full');
    const projectId = 'project-0';
    for (const [clusterId, wanted] of [
      ['often', 'full'],
      ['rare', 'some'],
    ] as const) {
      const reader = new ClusterHistoryReader(prisma);
      const read = (cursor: object) => reader.list(clusterId, { projectId, limit: LIMIT, ...cursor }, ours);
      await expectBounded({ historyOf: clusterId }, read, wanted);
    }
  }, 60_000);
});
