import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { RecordKind } from '../../../src/domain/record-month.js';
import { MonthChanged, MonthDrops } from '../../../src/ledger/month-drops.js';
import { PastRequestLedger } from '../../../src/ledger/past-requests.js';
import { RecordMonthLedger } from '../../../src/ledger/record-months.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { asServiceRole } from '../../../src/platform/database/service-role.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Archivist } from '../../../src/retention/archivist.js';
import { SealedRows } from '../../../src/verifying/sealed-rows.js';
import { verifyDatabase, type Report } from '../../../src/verifying/verify.js';
import { sealEverything, someEvents } from '../../support/chains.js';
import { Command, type Finished } from '../../support/command.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';
import { createTestFolder } from '../../support/test-folder.js';

const daysSince = (at: string): string => `${Math.floor((Date.now() - Date.parse(at)) / 86_400_000)}d`;
/** So long ago that January is over, and so long ago that February is as well. */
const JANUARY = daysSince('2026-02-15');
const FEBRUARY = daysSince('2026-03-15');

let database: TestDatabase;
let prisma: PrismaService;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase();
  prisma = new PrismaService(database.url, 4);
  folder = await createTestFolder('retention');
  await database.asOwner(`
    DO $$ DECLARE parent text; month timestamptz; BEGIN
      FOR parent IN SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace LOOP
        FOREACH month IN ARRAY ARRAY['2026-01-01Z', '2026-02-01Z']::timestamptz[] LOOP
          EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM'), parent,
            uuidv7_floor(month), uuidv7_floor(month + interval '32 days' - ((extract(day FROM month + interval '32 days') - 1) || ' days')::interval));
        END LOOP;
      END LOOP;
    END $$`);
});
afterEach(async () => {
  await prisma.$disconnect();
  await database.drop();
});

const idAt = (at: string): string => `uuidv7('${at}'::timestamptz - clock_timestamp())`;
/** Each is a transaction: its place in the chain is the order of these calls. */
const anEvent = (at: string, projectId: string | null = 'p-1') =>
  prisma.$executeRawUnsafe(
    `INSERT INTO event (id, at, kind, actor, project_id, data) VALUES (${idAt(at)}, '${at}', 'test.happened', 'tester', $1, '{}')`,
    projectId,
  );
async function aRequest(at: string, state: 'open' | 'finished'): Promise<string> {
  const [row] = await prisma.$queryRawUnsafe<{ id: string }[]>(
    `WITH task AS (INSERT INTO scan_task (project_id, task_id, enterprise_project_id) VALUES ('p-1', '${randomUUID()}', '0') RETURNING id)
     INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, labels, source, expires_at, resolved,
                          state, next_due_at, created_at, finished_at, total, waiting)
     SELECT ${idAt(at)}, id, 'p-1', 'team-a', uuidv7(), 'specific_cluster', 0, 1, '{}', 'api', 'infinity', true, '${state}', 'infinity',
            '${at}', ${state === 'finished' ? `'${at}'` : 'NULL'}, 0, 0 FROM task RETURNING id::text AS id`,
  );
  return row?.id ?? '';
}
const aCall = (at: string, requestId: string) =>
  prisma.$executeRawUnsafe(
    `WITH sent AS (
       INSERT INTO call (id, lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks, body_sha256,
                         state, started_at, lease_until, slot_free_at, finished_at, http_status, duration_ms, policy_version, worker)
       SELECT ${idAt(at)}, 'main.retryTask', 'main', scan_task_id, 'p-1', 'specific_cluster', 1, '{1}', '{}', '\\x00', 'accepted', '${at}', '${at}',
              '${at}', '${at}', 200, 100, '1', 'worker-1' FROM request WHERE id = $1::uuid RETURNING id)
     INSERT INTO call_request (call_id, request_id) SELECT id, $1::uuid FROM sent`,
    requestId,
  );

const run = (...args: string[]): Promise<Finished> =>
  new Command('src/retention.main.ts', { DATABASE_URL: database.url }, ['--archive', folder, ...args]).finished();
const verify = (): Promise<Report> => verifyDatabase(prisma, { heads: [], publicKey: null, isPart: false });
const verifyFile = (name: string): Promise<Finished> =>
  new Command('src/audit-verify.main.ts', {}, [
    ...[join(folder, `${name}.ndjson.gz`), '--manifest', join(folder, `${name}.json`)],
  ]).finished();
const partitions = async (): Promise<string[]> =>
  (
    await prisma.$queryRaw<{ name: string }[]>`
      SELECT relname::text AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND relname ~ '_2026_0[12]$' ORDER BY relname`
  ).map(({ name }) => name);
const linesOf = async (name: string): Promise<Record<string, unknown>[]> =>
  gunzipSync(await readFile(join(folder, name)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const archivist = () => new Archivist(new RecordMonthLedger(prisma), new SealedRows(prisma), folder);
const january = (kind: RecordKind) => ({ kind, month: '2026-01' });

describe('events', () => {
  /** One of February comes before the last of January: its transaction was the older one. */
  beforeEach(async () => {
    // The first sealing of a database goes by ids.
    await sealEverything(prisma);
    for (const at of ['2026-01-03Z', '2026-01-30Z', '2026-02-01Z', '2026-01-31Z']) await anEvent(at);
    for (const at of ['2026-02-02Z', '2026-02-03Z']) await anEvent(at);
    await anEvent('2026-01-05Z', null);
    await anEvent('2026-02-05Z', 'p-2');
    await someEvents(prisma, 3, 'p-1');
    await sealEverything(prisma);
  });

  it('go to an archive that proves itself, and the rest of each chain goes on from it', async () => {
    const { code, stdout } = await run('--events', JANUARY);
    expect([code, stdout]).toEqual([0, expect.stringContaining('events of 2026-01: dropped')]);
    const gone = await partitions();
    expect(gone).not.toContain('event_2026_01');
    expect(gone).toEqual(expect.arrayContaining(['event_2026_02', 'event_seal_2026_01', 'call_2026_01']));
    const lines = await linesOf('events-2026-01.ndjson.gz');
    expect(lines.map(({ projectId, seq }) => [projectId, seq])).toEqual([
      ...[1].map((seq) => ['', seq]),
      ...[1, 2, 3, 4].map((seq) => ['p-1', seq]),
    ]);
    await sealEverything(prisma);
    const { findings, ends } = await verify();
    expect(findings).toEqual([]);
    expect(ends).toMatchObject([
      { projectId: '', seq: 3, base: { seq: 1, file: 'events-2026-01.ndjson.gz' } },
      { projectId: 'p-1', seq: 10, base: { seq: 4 } },
      { projectId: 'p-2', seq: 1 },
    ]);
    const said = await prisma.event.findMany({ where: { actor: 'operator' }, orderBy: { id: 'asc' } });
    expect(said.map(({ kind, projectId }) => [kind, projectId])).toEqual([
      ['chain.archived', null],
      ['chain.archived', 'p-1'],
      ['record.dropped', null],
    ]);
    expect(said.at(-1)?.data).toMatchObject({ kind: 'events', month: '2026-01', rows: { event: 4 } });
  });

  it('go on going, month after month, with the seals of the month before', async () => {
    await run('--events', JANUARY);
    const { code } = await run('--events', FEBRUARY);
    expect(code).toBe(0);
    expect(await partitions()).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^event(_2026|_seal_2026_01)/)]),
    );
    expect((await linesOf('events-2026-02.ndjson.gz')).map(({ projectId, seq }) => [projectId, seq])).toEqual([
      ...[5, 6].map((seq) => ['p-1', seq]),
      ['p-2', 1],
    ]);
    await sealEverything(prisma);
    expect((await verify()).findings).toEqual([]);
    await database.asOwner(
      `SET session_replication_role = replica; INSERT INTO seal_head (project_id, seq, hash, at)
       SELECT project_id, seq, hash, now() FROM seal_chain WHERE project_id = 'p-1'`,
    );
    expect((await verify()).findings).toEqual([]);
  });

  it('are whole in what is exported after it', async () => {
    await run('--events', JANUARY);
    await sealEverything(prisma);
    const links: number[] = [];
    for await (const { seq } of new SealedRows(prisma).links('p-1', 4)) links.push(seq);
    expect(links).toEqual([5, 6, 7, 8, 9, 10]);
  });

  it.each([
    [
      'a base that no event speaks of',
      `UPDATE seal_chain SET base_seq = 6, base_hash = (SELECT hash FROM event_seal WHERE project_id = 'p-1' AND seq = 6) WHERE project_id = 'p-1'`,
      'removed',
    ],
    ['a base with another hash', `UPDATE seal_chain SET base_hash = sha256('') WHERE project_id = 'p-1'`, 'removed'],
    ['no base', `UPDATE seal_chain SET base_seq = 0 WHERE project_id = 'p-1'`, 'removed'],
    [
      'an event less after it',
      `DELETE FROM event WHERE id = (SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 5)`,
      'removed',
    ],
    [
      'an event less after it, with its seal',
      `CREATE TEMP TABLE gone AS SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 5;
       DELETE FROM event WHERE id IN (SELECT event_id FROM gone); DELETE FROM event_seal WHERE event_id IN (SELECT event_id FROM gone)`,
      'removed',
    ],
    [
      'another event after it',
      `UPDATE event SET actor = 'nobody' WHERE id = (SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 5)`,
      'changed',
    ],
    [
      'another event before it',
      `UPDATE event SET actor = 'nobody' WHERE id = (SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 3)`,
      'changed',
    ],
    [
      'an event that was put before the base',
      `INSERT INTO event (id, kind, actor, project_id, data, tx) VALUES ('01999999-0000-7000-8000-000000000000', 'test.forged', 'x', 'p-1', '{}', '3');
       INSERT INTO event_seal VALUES ('p-1', 1, '01999999-0000-7000-8000-000000000000', sha256(''))`,
      expect.stringMatching(/inserted|changed/) as unknown,
    ],
  ])('show %s', async (_what, statement, what) => {
    await run('--events', JANUARY);
    await sealEverything(prisma);
    await database.asOwner(`SET session_replication_role = replica; ${statement}`);
    expect((await verify()).findings).toMatchObject([{ projectId: 'p-1', what }]);
  });

  it('show an archive that was changed', async () => {
    await database.asOwner(
      `INSERT INTO seal_head (id, project_id, seq, hash, at)
       SELECT ${idAt('2026-01-31Z')}, project_id, seq, hash, '2026-01-31Z' FROM event_seal WHERE project_id = 'p-1' AND seq = 4`,
    );
    await run('--events', JANUARY);
    expect(await verifyFile('events-2026-01')).toMatchObject({ code: 0 });
    const lines = await linesOf('events-2026-01.ndjson.gz');
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    for (const changed of [
      text.replace('tester', 'nobody'),
      text.slice(0, text.lastIndexOf('\n')),
      text.slice(text.indexOf('\n')),
    ]) {
      await writeFile(join(folder, 'events-2026-01.ndjson.gz'), gzipSync(changed));
      expect(await verifyFile('events-2026-01')).toMatchObject({ code: 1 });
    }
  });

  it('show a kept head that speaks of the archives, and one of another chain at their end', async () => {
    const places = await prisma.$queryRaw<{ seq: number; hash: string }[]>`
      SELECT seq::int AS seq, encode(hash, 'hex') AS hash FROM event_seal WHERE project_id = 'p-1' AND seq IN (2, 4) ORDER BY seq`;
    const heads = places.map((place) => ({
      ...place,
      projectId: 'p-1',
      at: '2026-01-31T00:00:00.000Z',
      keyId: null,
      signature: null,
    }));
    await run('--events', JANUARY);
    await sealEverything(prisma);
    const report = await verifyDatabase(prisma, { heads, publicKey: null, isPart: false });
    expect([report.findings, report.unchecked]).toMatchObject([[], [{ projectId: 'p-1', seq: 2 }]]);
    const other = heads.map((head) => ({ ...head, hash: '00'.repeat(32) }));
    const { findings } = await verifyDatabase(prisma, { heads: other, publicKey: null, isPart: false });
    expect(findings).toMatchObject([{ projectId: 'p-1', what: 'rewritten' }]);
  });

  it('stay where the first of a chain are missing', async () => {
    await database.asOwner(
      `SET session_replication_role = replica; CREATE TEMP TABLE gone AS SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 1;
       DELETE FROM event WHERE id IN (SELECT event_id FROM gone); DELETE FROM event_seal WHERE event_id IN (SELECT event_id FROM gone)`,
    );
    expect(await run('--events', JANUARY)).toMatchObject({ code: 1, stderr: expect.stringContaining('1 is missing') });
    expect(await partitions()).toContain('event_2026_01');
  });

  it('stay where they are not genuine, or not sealed yet', async () => {
    await anEvent('2026-01-07Z');
    expect(await run('--events', JANUARY)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not sealed yet'),
    });
    await sealEverything(prisma);
    await database.asOwner(
      `SET session_replication_role = replica;
       UPDATE event SET actor = 'nobody' WHERE id = (SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 2)`,
    );
    expect(await run('--events', JANUARY)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not genuine (p-1, 2'),
    });
    expect(await partitions()).toContain('event_2026_01');
  });
});

describe('calls', () => {
  it('go with their requests and tags once none of their month may belong to an open request', async () => {
    const open = await aRequest('2026-01-20Z', 'open');
    await aCall('2026-01-21Z', open);
    const held = await run('--calls', JANUARY, '--lists', JANUARY);
    expect(held).toMatchObject({ code: 0, stdout: expect.stringContaining('calls of 2026-01: kept, a request') });
    expect(await readdir(folder)).toEqual([]);
    await database.asOwner(`UPDATE request SET state = 'finished'`);
    expect(await run('--calls', JANUARY, '--dry-run')).toMatchObject({
      stdout: expect.stringContaining('calls of 2026-01: would go, 1 rows of call'),
    });
    expect(await partitions()).toContain('call_2026_01');
    expect(await run('--calls', JANUARY, '--lists', JANUARY)).toMatchObject({ code: 0 });
    const left = await partitions();
    for (const table of ['call', 'call_request', 'call_tag', 'list_call'])
      expect(left).not.toContain(`${table}_2026_01`);
    expect(left).toContain('event_2026_01');
    expect(await linesOf('calls-2026-01.ndjson.gz')).toMatchObject([
      { state: 'accepted', request_ids: [open], task_id: expect.any(String), target_ids: [1] },
    ]);
    expect(JSON.parse(await readFile(join(folder, 'calls-2026-01.json'), 'utf8'))).toMatchObject({ rows: { call: 1 } });
  });

  it('stay where their month has changed after it was archived, and go the next time', async () => {
    const request = await aRequest('2026-01-20Z', 'finished');
    await aCall('2026-01-21Z', request);
    const archived = await archivist().archive(january('calls'));
    await aCall('2026-01-22Z', request);
    const owner = await connectWithin(database.url, 5_000);
    await expect(new MonthDrops(owner).drop(january('calls'), archived)).rejects.toThrow(MonthChanged);
    await owner.end();
    expect(await partitions()).toContain('call_2026_01');
    expect(await run('--calls', JANUARY)).toMatchObject({ code: 0 });
    expect(await linesOf('calls-2026-01.ndjson.gz')).toHaveLength(2);
  });

  it('are taken out by one at a time', async () => {
    const owner = await connectWithin(database.url, 5_000);
    expect(await new MonthDrops(owner).takeTurn()).toBe(true);
    expect(await run('--calls', JANUARY)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another retention'),
    });
    await owner.end();
  });

  it('wait for whoever works on the table', async () => {
    const writer = await connectWithin(database.url, 5_000);
    await writer.query('BEGIN');
    await writer.query('SELECT FROM call');
    const dropping = run('--calls', JANUARY);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    await writer.query('COMMIT');
    await writer.end();
    expect(await dropping).toMatchObject({ code: 0, stdout: expect.stringContaining('calls of 2026-01: dropped') });
  });

  it('cannot be dropped by the service', async () => {
    const service = await connectWithin(asServiceRole(database.url), 5_000);
    const archived = { counts: { call: 0 }, files: [], chains: [] };
    await expect(new MonthDrops(service).drop(january('calls'), archived)).rejects.toThrow(
      /permission denied|must be owner/,
    );
    await service.end();
  });
});

describe('requests', () => {
  /** With two clusters, of which one was scanned; moved to where they are kept by months. */
  const aPastOne = async (): Promise<string> => {
    const request = await aRequest('2026-01-20Z', 'finished');
    await prisma.$executeRaw`
      WITH ended AS (
        INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, result)
        SELECT r.id, r.scan_task_id, 1, 'c-' || place, 0, 'done', r.created_at, 'scan_failed'
          FROM request AS r CROSS JOIN generate_series(1, 2) AS place WHERE r.id = ${request}::uuid ORDER BY place RETURNING id, cluster_id)
      INSERT INTO scan_item (target_id, round, call_id, scan_type, status, reason)
      SELECT id, 1, uuidv7(), 'benchmark', 'failed', 'timeout' FROM ended WHERE cluster_id = 'c-2'`;
    expect(await new PastRequestLedger(prisma).move(0)).toBe(1);
    return request;
  };

  it('go with their targets and what scans said of these', async () => {
    const request = await aPastOne();
    expect(await run('--requests', JANUARY)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('requests of 2026-01: 1 rows of past_request, 2 rows of past_target archived'),
    });
    const left = await partitions();
    for (const table of ['past_request', 'past_target']) {
      expect(left).not.toContain(`${table}_2026_01`);
      expect(left).toContain(`${table}_2026_02`);
    }
    expect(await linesOf('requests-2026-01.ndjson.gz')).toMatchObject([{ id: request, task_id: expect.any(String) }]);
    expect(await linesOf('targets-2026-01.ndjson.gz')).toMatchObject([
      { request_id: request, cluster_id: 'c-1', result: 'scan_failed', scan_items: null },
      { request_id: request, cluster_id: 'c-2', scan_items: [{ round: 1, scanType: 'benchmark', reason: 'timeout' }] },
    ]);
    const [said] = await prisma.event.findMany({ where: { kind: 'record.dropped' } });
    expect(said?.data).toMatchObject({ kind: 'requests', rows: { past_request: 1, past_target: 2 } });
  });

  it.each([
    ['one of their time is open', () => aRequest('2026-01-02Z', 'open')],
    ['one of their time has not been moved', () => aRequest('2026-01-02Z', 'finished')],
    [
      'one may be asked for by its key',
      () => prisma.$executeRaw`
        INSERT INTO idempotency_key (caller, key, fingerprint, request_id, expires_at)
        SELECT 'team-a', 'key-1', '\\x00', id, now() + interval '1 day' FROM past_request`,
    ],
  ])('stay while %s', async (_what, come) => {
    await aPastOne();
    await come();
    expect(await run('--requests', FEBRUARY)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('requests of 2026-01: kept, a request'),
    });
    expect(await prisma.pastTarget.count()).toBe(2);
  });

  it('stay where one has come since they were archived', async () => {
    await aPastOne();
    const archived = await archivist().archive(january('requests'));
    await aPastOne();
    const owner = await connectWithin(database.url, 5_000);
    await expect(new MonthDrops(owner).drop(january('requests'), archived)).rejects.toThrow(
      /^past_request_2026_01 has 2 rows/,
    );
    await owner.end();
    expect(await run('--requests', JANUARY)).toMatchObject({ code: 0 });
    expect(await linesOf('targets-2026-01.ndjson.gz')).toHaveLength(4);
  });
});

it('says how it is used, and what it cannot do', async () => {
  expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--dry-run') });
  expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('say how long') });
  expect(await run('--calls', '12h')).toMatchObject({ code: 1, stderr: expect.stringContaining('no number of days') });
  expect(await run('--calls', '9d', '--archive', join(folder, 'x'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is no folder'),
  });
  expect(await run('--calls', '900d')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('nothing is old enough'),
  });
});
