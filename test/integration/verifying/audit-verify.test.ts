import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Secret } from '../../../src/config/secret.js';
import { toLine, type SealedEvent } from '../../../src/domain/sealed-event.js';
import type { SealHead } from '../../../src/domain/seal-head.js';
import { SealHeadLedger } from '../../../src/ledger/seal-heads.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { HeadSigner } from '../../../src/sealing/head-signature.js';
import { HeadPublisher } from '../../../src/sealing/head-publisher.js';
import { SealedRows } from '../../../src/verifying/sealed-rows.js';
import { verifyDatabase } from '../../../src/verifying/verify.js';
import { sealEverything, someEvents } from '../../support/chains.js';
import { Command, type Finished } from '../../support/command.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';
import { createTestFolder } from '../../support/test-folder.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

let database: TestDatabase;
let prisma: PrismaService;

async function open(): Promise<void> {
  database = await createTestDatabase();
  prisma = new PrismaService(database.url, 4);
  await someEvents(prisma, 9, 'p-1');
  await someEvents(prisma, 3, null);
  await someEvents(prisma, 5, 'p-2');
  await sealEverything(prisma);
}

async function close(): Promise<void> {
  await prisma.$disconnect();
  await database.drop();
}

/** As whoever owns the database can: what refuses changes does not fire. */
async function tamper(...statements: string[]): Promise<void> {
  await database.asOwner(['SET session_replication_role = replica', ...statements].join(';\n'));
}

const eventAt = (seq: number) => `(SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = ${seq})`;

async function publishHeads(): Promise<void> {
  const audit = { headIntervalMs: 1_000, signingKey: new Secret(pemOf(privateKey)) };
  await new HeadPublisher({ audit } as never, prisma, new SealHeadLedger()).publishIfDue();
}

async function linksOf(projectId: string): Promise<SealedEvent[]> {
  const links: SealedEvent[] = [];
  for await (const { head: _, event, ...link } of new SealedRows(prisma).links(projectId)) {
    if (event) links.push({ ...link, event });
  }
  return links;
}

/** Attackers with time rewrite all hashes after their change, and what the database says of the chain's end. */
async function rewriteChain(): Promise<void> {
  await tamper(
    `UPDATE event SET actor = 'nobody' WHERE id = ${eventAt(4)}`,
    `DELETE FROM event_seal WHERE project_id = 'p-1'`,
    `DELETE FROM seal_chain WHERE project_id = 'p-1'`,
    `DELETE FROM seal_head WHERE project_id = 'p-1'`,
    `UPDATE seal_progress SET tx = '0', walk_id = NULL`,
  );
  await sealEverything(prisma);
}

describe('a database', () => {
  beforeEach(open);
  afterEach(close);

  const findings = async (heads: SealHead[] = [], key: KeyObject | null = null) =>
    (await verifyDatabase(prisma, { heads, publicKey: key, isPart: false })).findings;

  it('is whole as the sealer left it, also while events wait to be sealed', async () => {
    await publishHeads();
    await someEvents(prisma, 4, 'p-1');
    const report = await verifyDatabase(prisma, { heads: [], publicKey, isPart: false });
    expect(report).toEqual({
      events: 17,
      findings: [],
      unchecked: [],
      ends: [
        { projectId: '', seq: 3 },
        { projectId: 'p-1', seq: 9 },
        { projectId: 'p-2', seq: 5 },
      ],
    });
  });

  const changes = ["actor = 'nobody'", "data = '{}'", "at = at + interval '1 ms'", 'request_id = uuidv7()', "tx = '3'"];
  it.each(changes)('shows that an event was changed: %s', async (change) => {
    const [row] = await prisma.$queryRawUnsafe<{ id: string }[]>(`SELECT ${eventAt(4)}::text AS id`);
    await tamper(`UPDATE event SET ${change} WHERE id = ${eventAt(4)}`);
    expect(await findings()).toMatchObject([{ projectId: 'p-1', seq: 4, eventId: row?.id, what: 'changed' }]);
  });

  it.each<[string, string[], object]>([
    ['removed', [`DELETE FROM event WHERE id = ${eventAt(4)}`], { seq: 4, what: 'removed' }],
    [
      'removed with its seal',
      [`DELETE FROM event WHERE id = ${eventAt(4)}`, `DELETE FROM event_seal WHERE project_id = 'p-1' AND seq = 4`],
      { seq: 4, eventId: null, what: 'removed' },
    ],
    [
      'inserted into the past',
      [`INSERT INTO event (tx, kind, actor, project_id, data) VALUES ('3', 'test.forged', 'tester', 'p-1', '{}')`],
      { seq: null, what: 'inserted' },
    ],
    [
      'inserted with a seal',
      [
        `UPDATE event_seal SET seq = seq + 1 WHERE project_id = 'p-1' AND seq >= 4`,
        `WITH forged AS (INSERT INTO event (tx, kind, actor, project_id, data)
           VALUES ('3', 'test.forged', 'tester', 'p-1', '{}') RETURNING id)
         INSERT INTO event_seal SELECT 'p-1', 4, id, sha256('') FROM forged`,
      ],
      { seq: 4, what: 'inserted' },
    ],
    [
      'inserted before the first',
      [
        `WITH forged AS (INSERT INTO event (tx, kind, actor, project_id, data)
           VALUES ('3', 'test.forged', 'tester', 'p-1', '{}') RETURNING id)
         INSERT INTO event_seal SELECT 'p-1', 0, id, sha256('') FROM forged`,
      ],
      { seq: 0, what: 'inserted' },
    ],
    [
      'swapped with the next one',
      [
        `CREATE TEMP TABLE a AS SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 4`,
        `CREATE TEMP TABLE b AS SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq = 5`,
        `UPDATE event_seal SET event_id = (SELECT event_id FROM b) WHERE project_id = 'p-1' AND seq = 4`,
        `UPDATE event_seal SET event_id = (SELECT event_id FROM a) WHERE project_id = 'p-1' AND seq = 5`,
        `DROP TABLE a, b`,
      ],
      { seq: 4, what: 'reordered' },
    ],
    [
      'cut off at the end',
      [
        `DELETE FROM event WHERE id IN (SELECT event_id FROM event_seal WHERE project_id = 'p-1' AND seq > 7)`,
        `DELETE FROM event_seal WHERE project_id = 'p-1' AND seq > 7`,
      ],
      { seq: 8, eventId: null, what: 'cut' },
    ],
  ])('shows that an event was %s', async (_title, statements, expected) => {
    await tamper(...statements);
    expect(await findings()).toMatchObject([{ projectId: 'p-1', ...expected }]);
  });

  it('shows by its own heads, and by one that was kept, that a whole chain was cut or written anew', async () => {
    await publishHeads();
    const [head] = await prisma.$queryRaw<SealHead[]>`
      SELECT project_id AS "projectId", seq::int AS seq, encode(hash, 'hex') AS hash,
             to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, key_id AS "keyId",
             translate(encode(signature, 'base64'), E'\n', '') AS signature
        FROM seal_head WHERE project_id = 'p-1'`;
    if (!head) throw new Error('no head');
    expect(await findings([head], publicKey)).toEqual([]);
    await rewriteChain();
    expect(await findings()).toEqual([]);
    expect(await findings([head], publicKey)).toMatchObject([{ projectId: 'p-1', seq: 9, what: 'rewritten' }]);
    // What is left out of all tables but its own events.
    await tamper(
      `DELETE FROM event_seal WHERE project_id = 'p-1'`,
      `DELETE FROM event WHERE project_id = 'p-1'`,
      `DELETE FROM seal_chain WHERE project_id = 'p-1'`,
    );
    expect(await findings()).toEqual([]);
    expect(await findings([head], publicKey)).toMatchObject([{ projectId: 'p-1', seq: 1, what: 'cut' }]);
  });

  it('shows a forged head', async () => {
    await publishHeads();
    await tamper(`UPDATE seal_head SET at = at + interval '1 day' WHERE project_id = 'p-2'`);
    expect(await findings()).toEqual([]);
    expect(await findings([], publicKey)).toMatchObject([{ projectId: 'p-2', seq: 5, what: 'forged' }]);
    await tamper(`UPDATE seal_head SET hash = sha256('') WHERE project_id = 'p-1'`);
    expect(await findings()).toMatchObject([{ projectId: 'p-1', seq: 9, what: 'rewritten' }]);
  });
});

describe('npm run audit:verify', () => {
  let folder: string;
  beforeAll(async () => {
    await open();
    folder = await createTestFolder('verify');
    await writeFile(join(folder, 'key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  });
  afterAll(close);

  const run = (...args: string[]): Promise<Finished> => new Command('src/audit-verify.main.ts', {}, args).finished();
  async function aFile(name: string, content: string | Buffer): Promise<string> {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  }

  it('says how it is used, and 2 for what it cannot do', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('--head FILE') });
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining('name one export file') });
    expect(await run(join(folder, 'nowhere'))).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOENT') });
    expect(await run(await aFile('cut.ndjson', '{"projectId":'))).toMatchObject({ code: 2 });
    const half = gzipSync('x'.repeat(1_000)).subarray(0, 20);
    expect(await run(await aFile('half.gz', half))).toMatchObject({ code: 2 });
  });

  it('checks a database', async () => {
    const { code, stdout } = await run('--database-url', database.url);
    expect([code, stdout]).toEqual([0, expect.stringContaining('17 events in 3 chains: all fits')]);
  });

  it('checks an export offline, also a packed one, a part of one, and one against a kept head', async () => {
    const [ofOne, ofNone] = [await linksOf('p-1'), await linksOf('')];
    const lines = [...ofOne.slice(0, 4), ...ofNone, ...ofOne.slice(4)].map(toLine);
    const whole = await aFile('whole.ndjson', lines.join(''));
    expect(await run(whole)).toMatchObject({ code: 0, stdout: expect.stringContaining('12 events in 2 chains') });
    expect(await run(await aFile('whole.ndjson.gz', gzipSync(lines.join(''))))).toMatchObject({ code: 0 });
    const part = await aFile('part.ndjson', lines.slice(2).join(''));
    expect(await run(part)).toMatchObject({ code: 1, stdout: expect.stringContaining('1 to 2 are missing') });
    expect(await run('--partial', part)).toMatchObject({ code: 0 });

    const last = ofOne.at(-1);
    if (!last) throw new Error('no link');
    const statement = { projectId: 'p-1', seq: last.seq, hash: last.hash, at: new Date().toISOString() };
    const head = await aFile('head.json', JSON.stringify(new HeadSigner(pemOf(privateKey)).sign(statement)));
    const with_ = ['--head', head, '--public-key', join(folder, 'key.pem')];
    expect(await run(...with_, whole)).toMatchObject({ code: 0 });
    const cut = await aFile('cut.ndjson', lines.slice(0, -1).join(''));
    expect(await run(cut)).toMatchObject({ code: 0, stdout: expect.stringContaining('No kept head was given') });
    expect(await run(...with_, cut)).toMatchObject({ code: 1, stdout: expect.stringMatching(/seq 9: cut: /) });
    const other = generateKeyPairSync('ed25519').privateKey;
    const forged = await aFile('forged.json', JSON.stringify(new HeadSigner(pemOf(other)).sign(statement)));
    const answer = await run('--head', forged, '--public-key', join(folder, 'key.pem'), whole);
    expect(answer).toMatchObject({ code: 1, stdout: expect.stringContaining('not signed with the public key') });
  });

  it('names the first event that was changed', async () => {
    const links = await linksOf('p-1');
    const lines = links.map(toLine).map((line, index) => (index < 4 ? line : line.replace('"tester"', '"nobody"')));
    const { code, stdout } = await run(await aFile('changed.ndjson', lines.join('')));
    expect([code, stdout]).toEqual([1, expect.stringContaining(`seq 5, event ${links[4]?.eventId}: changed`)]);
  });
});
