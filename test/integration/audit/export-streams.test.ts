import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { connectWithin } from '../../../src/platform/database/connect.js';
import type { ApiClient } from '../../support/api-client.js';
import { openAuditApp, type AuditApp } from '../../support/audit-app.js';
import { eventually } from '../../support/eventually.js';
import { getExport, openExport } from '../../support/exports.js';
import { writeHistory } from '../../support/history.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

/** 30 MB: more than what sockets and streams on the way hold. */
const ROWS = 50_000;
const ALL = 'kind=targets&format=ndjson';

let database: TestDatabase;
let sql: pg.Client;
let app: AuditApp;
let auditor: ApiClient;

beforeAll(async () => {
  database = await createTestDatabase();
  sql = await connectWithin(database.url, 5_000);
  app = await openAuditApp(database.url);
  auditor = await app.client();
  await writeHistory(sql, { first: 0, tasks: 40, clustersPerTask: ROWS / 40, projects: 3 });
}, 60_000);
afterAll(async () => {
  await app.close();
  await sql.end();
  await database.drop();
});
afterEach(() => eventually(async () => (await ends()).length === (await recorded('export.begun')).length));

const recorded = async (kind: string): Promise<any[]> =>
  (await sql.query('SELECT actor, key_id, data FROM event WHERE kind = $1 ORDER BY id', [kind])).rows;
const ends = () => recorded('export.ended');
const lastEnd = async () => (await ends()).at(-1)?.data;

/** Read no further: its sender fills what lies between, and waits. */
async function stalled(client: ApiClient, query = ALL): Promise<IncomingMessage> {
  const answer = await openExport(client, query);
  await once(answer, 'readable');
  return answer;
}

/** Backends of the service that do anything, or have a transaction. */
const busy = async (): Promise<number> =>
  (
    await sql.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'rescan%' AND state <> 'idle'`,
    )
  ).rowCount ?? 0;

const reads = async (): Promise<number> =>
  (
    await sql.query(
      `SELECT pg_stat_clear_snapshot(), idx_scan::int AS n FROM pg_stat_user_tables WHERE relname = 'target'`,
    )
  ).rows[0].n;

/** Once nothing has been read for a second. */
async function untilAtRest(): Promise<void> {
  let before = -1;
  await eventually(
    async () => {
      const now = await reads();
      const still = now === before && (await busy()) === 0;
      before = now;
      return still;
    },
    { limitMs: 20_000, everyMs: 1_200 },
  );
}

describe('a reader', () => {
  it('that is slow holds no connection while it waits, and gets everything in the end', async () => {
    const answer = await stalled(auditor);
    await untilAtRest();
    const lines = (await text(answer)).split('\n').length - 1;
    expect([lines, answer.complete]).toEqual([ROWS, true]);
    await eventually(async () => (await lastEnd())?.rows === ROWS);
    expect(await lastEnd()).toMatchObject({ end: 'complete', kind: 'targets', format: 'ndjson', projects: '*' });
  }, 60_000);

  it('that goes away ends the reading', async () => {
    const answer = await stalled(auditor);
    const before = (await ends()).length;
    answer.destroy();
    await eventually(async () => (await ends()).length === before + 1);
    const { end, rows, firstCursor, lastCursor } = await lastEnd();
    expect([end, typeof firstCursor, typeof lastCursor]).toEqual(['aborted', 'string', 'string']);
    expect(rows).toBeLessThan(ROWS);
    await untilAtRest();
  });

  it('is on record, with key and filters', async () => {
    const client = await app.client({ caller: 'recorded', projects: ['project-1'] });
    await (
      await getExport(client, 'kind=calls&format=csv&projectId=project-1&limit=2&since=2020-01-01T00:00:00Z')
    ).text();
    await eventually(async () => (await ends()).at(-1)?.actor === 'recorded');
    const [begun, ended] = [(await recorded('export.begun')).at(-1), (await ends()).at(-1)];
    const asked = {
      kind: 'calls',
      format: 'csv',
      projects: ['project-1'],
      limit: 2,
      since: '2020-01-01T00:00:00.000Z',
    };
    expect(begun).toMatchObject({ actor: 'recorded', key_id: expect.any(String), data: asked });
    expect(ended).toMatchObject({ actor: 'recorded', data: { ...asked, rows: 2, end: 'complete' } });
  });

  it('has two exports at once, and the others have theirs', async () => {
    const answers = [await stalled(auditor), await stalled(auditor)];
    const third = await getExport(auditor, ALL);
    expect([third.status, third.headers.get('retry-after'), ((await third.json()) as any).code]).toEqual([
      429,
      '30',
      'too_many_exports',
    ]);
    const [second, fourth] = [await app.client({ caller: 'b' }), await app.client({ caller: 'c' })];
    answers.push(await stalled(second), await stalled(second));
    expect((await getExport(fourth, ALL)).status).toBe(429);
    answers.forEach((answer) => answer.destroy());
    await eventually(async () => {
      const answer = await getExport(fourth, `${ALL}&limit=1`);
      await answer.text();
      return answer.status === 200;
    });
  });
});

describe('an export that fails', () => {
  const broken = (work: () => Promise<void>) => async (): Promise<void> => {
    try {
      await work();
    } finally {
      await sql.query('ALTER VIEW IF EXISTS any_target_gone RENAME TO any_target');
    }
  };

  it.each<[string, Record<string, string>]>([
    ['plain', {}],
    ['compressed', { 'accept-encoding': 'gzip' }],
  ])('in the middle breaks the connection: %s', async (_how, headers) => {
    await broken(async () => {
      const answer = await openExport(auditor, 'kind=targets&format=csv', headers);
      await once(answer, 'readable');
      await sql.query('ALTER VIEW any_target RENAME TO any_target_gone');
      await expect(text(answer)).rejects.toMatchObject({ code: 'ECONNRESET' });
      expect(answer.complete).toBe(false);
      await eventually(async () => (await lastEnd())?.end === 'failed');
    })();
  });

  it('is not begun over HTTP/1.0, where the end of the connection would say that this was all', async () => {
    const { hostname, port } = new URL(auditor.baseUrl);
    const socket = connect(Number(port), hostname);
    socket.write(`GET /v1/audit/export?${ALL} HTTP/1.0\r\nAuthorization: Bearer ${auditor.key}\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 [^]*HTTP\/1.0 does not tell/);
  });

  it('before its first byte is a problem document, also for who accepts gzip', async () => {
    await broken(async () => {
      await sql.query('ALTER VIEW any_target RENAME TO any_target_gone');
      const answer = await getExport(auditor, ALL);
      expect([answer.status, answer.headers.get('content-encoding')]).toEqual([500, null]);
      expect(await answer.json()).toMatchObject({ code: 'internal' });
    })();
  });
});

describe('gzip', () => {
  it.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['*', true],
    ['gzip;q=0, *', false],
    ['identity', false],
  ])('is sent to who accepts it: %s: %s', async (accepted, compressed) => {
    const query = 'kind=calls&format=ndjson';
    const answer = await openExport(auditor, query, { 'accept-encoding': accepted });
    expect(answer.headers['content-encoding']).toBe(compressed ? 'gzip' : undefined);
    expect(answer.headers.vary).toBe('Accept-Encoding');
    const plain = await (await openExport(await app.client({ caller: 'plain' }), query)).toArray();
    expect(await text(compressed ? answer.pipe(createGunzip()) : answer)).toBe(Buffer.concat(plain).toString());
  });
});
