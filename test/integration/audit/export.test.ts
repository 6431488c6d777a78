import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import type pg from 'pg';
import { connectWithin } from '../../../src/platform/database/connect.js';
import type { ApiClient } from '../../support/api-client.js';
import { openAuditApp, type AuditApp } from '../../support/audit-app.js';
import { exported, EXPORT_KINDS, getExport } from '../../support/exports.js';
import { sealAll, writeHistory } from '../../support/history.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

const TASKS = 1_200;
const PROJECTS = 3;

let database: TestDatabase;
let sql: pg.Client;
let app: AuditApp;
let auditor: ApiClient;
let tasks = 0;

async function write(client: pg.Client, size: { tasks: number; clustersPerTask: number }): Promise<void> {
  await writeHistory(client, { first: tasks, projects: PROJECTS, ...size });
  tasks += size.tasks;
}

beforeAll(async () => {
  database = await createTestDatabase();
  sql = await connectWithin(database.url, 5_000);
  app = await openAuditApp(database.url);
  auditor = await app.client();
  await write(sql, { tasks: TASKS, clustersPerTask: 2 });
  await write(sql, { tasks: 1, clustersPerTask: 2_500 });
  await sealAll(sql);
});
afterAll(async () => {
  await app.close();
  await sql.end();
  await database.drop();
});

const cursors = (rows: readonly { cursor: string }[]) => rows.map(({ cursor }) => cursor);
const column = async (query: string): Promise<unknown[]> => (await sql.query(query)).rows.map(({ value }) => value);

describe('an export', () => {
  it('has every row once, in its order', async () => {
    const [calls, targets, events] = await Promise.all(
      EXPORT_KINDS.map(async (kind) => exported(await app.client({ caller: kind }), `kind=${kind}`)),
    );
    expect(calls?.map(({ id }) => id)).toEqual(await column('SELECT id AS value FROM call ORDER BY id'));
    expect(targets?.map(({ targetId }) => targetId)).toEqual(
      await column('SELECT id::int AS value FROM target ORDER BY request_id, id'),
    );
    expect(events?.map(({ eventId }) => eventId)).toEqual(
      await column('SELECT event_id AS value FROM event_seal ORDER BY project_id, seq'),
    );
  });

  it('shows a call as its route does, and goes with the words of the other routes', async () => {
    const [call] = await exported(auditor, 'kind=calls&limit=1');
    const shown = await (await app.client({ scopes: ['audit:read'] })).get(`/v1/calls/${call?.['id']}`);
    expect(call).toEqual({ ...shown.body, cursor: call?.cursor });
    const [target] = await exported(auditor, 'kind=targets&limit=1');
    expect(target).toMatchObject({
      ...{ caller: 'team-a', projectId: 'project-0', taskId: 'task-0', clusterId: 'c-1', scanTypes: null, attempts: 0 },
      ...{ state: 'done', result: 'succeeded', round: 1, callIds: [call?.['id']], requestState: 'finished' },
    });
    const [event] = await exported(auditor, 'kind=events&limit=1');
    expect(event).toMatchObject({
      ...{ projectId: 'project-0', seq: 1, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      event: { id: event?.['eventId'], kind: 'call.started', actor: 'rescan', projectId: 'project-0' },
    });
  });

  it.each(EXPORT_KINDS)('of %s goes on after any row with exactly the rest', async (kind) => {
    const all = await exported(auditor, `kind=${kind}`);
    for (const place of [0, 1, 998, 999, 1_000, 1_199, all.length - 2, all.length - 1]) {
      const rest = await exported(auditor, `kind=${kind}&cursor=${all[place]?.cursor}`);
      expect(cursors(rest)).toEqual(cursors(all.slice(place + 1)));
    }
  });

  it.each(EXPORT_KINDS)(
    'of %s misses nothing and shows nothing twice, piece by piece while more is written',
    async (kind) => {
      const seen: string[] = [];
      for (let size = 1; size > 0;) {
        const query = `kind=${kind}&projectId=project-0&limit=300${seen.length > 0 ? `&cursor=${seen.at(-1)}` : ''}`;
        const rows = await exported(auditor, query);
        size = rows.length;
        seen.push(...cursors(rows));
        if (tasks < TASKS + 100) {
          await write(sql, { tasks: 12, clustersPerTask: 3 });
          await sealAll(sql);
        }
      }
      expect(seen).toEqual(cursors(await exported(auditor, `kind=${kind}&projectId=project-0`)));
    },
  );

  it.each(['calls', 'targets'])(
    'of %s stops before what a transaction may still commit, and goes on with it',
    async (kind) => {
      const before = await exported(auditor, `kind=${kind}`);
      const [early, late] = [await connectWithin(database.url, 5_000), await connectWithin(database.url, 5_000)];
      try {
        await early.query('BEGIN');
        await early.query('SELECT uuidv7()');
        await write(late, { tasks: 3, clustersPerTask: 2 });
        expect(cursors(await exported(auditor, `kind=${kind}`))).toEqual(cursors(before));
        await early.query('COMMIT');
      } finally {
        await Promise.all([early.end(), late.end()]);
      }
      const rest = await exported(auditor, `kind=${kind}&cursor=${before.at(-1)?.cursor}`);
      expect(rest).toHaveLength(kind === 'calls' ? 3 : 6);
    },
  );

  it('is narrowed down by time, from `since` on and before `until`', async () => {
    const times = { calls: 'startedAt', targets: 'requestCreatedAt' };
    for (const [kind, field] of Object.entries(times)) {
      const all = await exported(auditor, `kind=${kind}`);
      const [since, until] = [all[0]?.[field], all.at(-1)?.[field]];
      const wanted = all.filter((row) => row[field] >= since && row[field] < until);
      expect(wanted.length).toBeLessThan(all.length);
      expect(cursors(await exported(auditor, `kind=${kind}&since=${since}&until=${until}`))).toEqual(cursors(wanted));
    }
    const all = await exported(auditor, 'kind=events');
    const since = all.at(-1)?.['event'].at;
    expect(cursors(await exported(auditor, `kind=events&since=${since}`))).toEqual(
      cursors(all.filter(({ event }) => event.at >= since)),
    );
    expect(await exported(auditor, 'kind=events&since=2999-01-01T00:00:00Z')).toEqual([]);
  });

  it('leaves out what is not sealed', async () => {
    const before = (await exported(auditor, 'kind=events')).length;
    await write(sql, { tasks: 1, clustersPerTask: 1 });
    expect(await exported(auditor, 'kind=events')).toHaveLength(before);
  });
});

describe('who may export', () => {
  it('is a key of the scope, its own projects alone', async () => {
    const reader = await app.client({ scopes: ['requests:read', 'ops'] });
    expect((await getExport(reader, 'kind=calls&format=ndjson')).status).toBe(403);
    const own = await app.client({ projects: ['project-2', 'project-1'] });
    await sealAll(sql);
    for (const kind of EXPORT_KINDS) {
      const all = await exported(auditor, `kind=${kind}`);
      const theirs = all.filter(({ projectId }) => ['project-1', 'project-2'].includes(projectId));
      expect(cursors(await exported(own, `kind=${kind}`))).toEqual(cursors(theirs));
      const foreign = await getExport(own, `kind=${kind}&format=csv&projectId=project-0`);
      expect([foreign.status, ((await foreign.json()) as { code: string }).code]).toEqual([404, 'not_found']);
      // A cursor is a place, and gives no right to what stands there.
      expect(cursors(await exported(own, `kind=${kind}&cursor=${all[0]?.cursor}`))).toEqual(cursors(theirs));
    }
    const everybodys = await exported(auditor, 'kind=events');
    expect(everybodys.some(({ projectId }) => projectId === '')).toBe(true);
  });

  it.each([
    ['kind=calls&format=ndjson&cursor=x', 'bad_cursor'],
    ['kind=targets&format=ndjson&cursor=MTowMWEyMTZmNi1iZWY2LTcwZjItYjgwYS0zN2MxZTAzYTJkM2M', 'bad_cursor'],
    ['kind=events&format=ndjson&cursor=MTowMWEyMTZmNi1iZWY2LTcwZjItYjgwYS0zN2MxZTAzYTJkM2M', 'bad_cursor'],
    ['kind=keys&format=ndjson', 'malformed'],
    ['kind=calls&format=xml', 'malformed'],
    ['kind=calls', 'malformed'],
    ['kind=calls&format=csv&limit=0', 'malformed'],
  ])('is told what is wrong with %s', async (query, code) => {
    const answer = await getExport(auditor, query);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, code]);
  });
});

describe('a CSV', () => {
  const said = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\tx',
    '\rx',
    '＝1',
    'a "quote", and\r\na line',
    '扫描失败, кластер 🛰',
    'plain',
    "'",
  ];

  it('is safe in a spreadsheet, and says the same as the lines of JSON', async () => {
    const dangerous = new Set(said.slice(0, 7));
    await write(sql, { tasks: said.length, clustersPerTask: 1 });
    await sql.query(
      `UPDATE call SET error_text = texts[place] FROM (SELECT $1::text[] AS texts) AS said,
              (SELECT id, row_number() OVER (ORDER BY id DESC) AS place FROM call) AS numbered
        WHERE call.id = numbered.id AND place <= $2`,
      [said, said.length],
    );
    const lines = await exported(auditor, 'kind=calls');
    const bytes = Buffer.from(await (await getExport(auditor, 'kind=calls&format=csv')).arrayBuffer());
    expect(bytes.subarray(0, 3).toString('hex')).toBe('efbbbf');
    const rows = parse<Record<string, string>>(bytes, { bom: true, columns: true, record_delimiter: '\r\n' });
    expect(cursors(rows as never)).toEqual(cursors(lines));
    expect(Object.keys(rows[0] ?? {})).toEqual(Object.keys(lines[0] ?? {}));
    const texts = lines.map(({ errorText }) => errorText ?? '');
    expect(new Set(texts)).toEqual(new Set([...said, '']));
    expect(rows.map(({ errorText }) => errorText)).toEqual(texts.map((one) => (dangerous.has(one) ? `'${one}` : one)));
    expect(rows.map(({ requestIds }) => requestIds)).toEqual(lines.map(({ requestIds }) => requestIds.join(' ')));
    expect(rows.map(({ decision }) => JSON.parse(decision ?? ''))).toEqual(lines.map(({ decision }) => decision));
  });

  it.each(EXPORT_KINDS)(
    'of %s has the rows of the lines of JSON, and only a head where there are none',
    async (kind) => {
      await sealAll(sql);
      const lines = await exported(auditor, `kind=${kind}`);
      const csv = await (await getExport(auditor, `kind=${kind}&format=csv`)).text();
      const rows = parse<{ cursor: string }>(csv, { bom: true, columns: true, record_delimiter: '\r\n' });
      expect(cursors(rows)).toEqual(cursors(lines));
      const none = await (await getExport(auditor, `kind=${kind}&format=csv&until=2001-01-01T00:00:00Z`)).text();
      expect(none).toBe(csv.replace(/^\uFEFF/, '').split('\r\n')[0] + '\r\n');
    },
  );
});
