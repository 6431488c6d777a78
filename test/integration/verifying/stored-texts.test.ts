import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import type { Finding } from '../../../src/verifying/chain-check.js';
import { verifyDatabase } from '../../../src/verifying/verify.js';
import { sealEverything } from '../../support/chains.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

/** More than are read at once. */
const TEXTS = 1_200;
const SAID = Array.from({ length: TEXTS }, (_, i) => `answer ${i}: 没有 «tâche» 🙈`);
/** It is read last. */
const HASH = SAID.map((text) => createHash('sha256').update(text).digest('hex'))
  .sort()
  .at(-1);
const OF_TEXT = `hash = decode('${HASH}', 'hex')`;

let database: TestDatabase;
let prisma: PrismaService;

beforeEach(async () => {
  database = await createTestDatabase();
  prisma = new PrismaService(database.url, 4);
  await prisma.$executeRaw`
    INSERT INTO event (kind, actor, project_id, text_hash, data)
    SELECT 'call.rejected', 'rescan', project, keep_text(text), '{}'
      FROM unnest(ARRAY['p-1', 'p-2']) WITH ORDINALITY AS p (project, place), unnest(${SAID}::text[]) AS text ORDER BY place`;
  await sealEverything(prisma);
});
afterEach(async () => {
  await prisma.$disconnect();
  await database.drop();
});

const findings = async (): Promise<readonly Finding[]> =>
  (await verifyDatabase(prisma, { heads: [], publicKey: null, isPart: false })).findings;

const finding = (what: Finding['what'], detail: string) => ({
  projectId: 'p-1',
  seq: null,
  eventId: expect.any(String),
  what,
  detail: `the text with the hash ${HASH} ${detail}`,
});

it('texts are whole as they were written', async () => {
  expect(await findings()).toEqual([]);
});

it.each<[string, string, Finding['what'], string]>([
  [
    'in which other words were put',
    `UPDATE event_text SET text = 'all fine' WHERE ${OF_TEXT}`,
    'changed',
    'is another one now',
  ],
  [
    'marked as redacted, with other words',
    `UPDATE event_text SET text = 'all fine', redacted_at = now() WHERE ${OF_TEXT}`,
    'changed',
    'is another one now',
  ],
  ['taken away', `DELETE FROM event_text WHERE ${OF_TEXT}`, 'removed', 'is missing'],
  [
    'emptied without a redaction',
    `UPDATE event_text SET text = NULL WHERE ${OF_TEXT}`,
    'removed',
    'is gone, and was not redacted',
  ],
])('a text shows that was %s', async (_title, statement, what, detail) => {
  await database.asOwner(statement);
  expect(await findings()).toEqual([finding(what, detail)]);
});

it('a text that was redacted is none to find, nor is one that no event names any more', async () => {
  await database.asOwner(`
    UPDATE event_text SET text = NULL, redacted_at = now() WHERE ${OF_TEXT};
    INSERT INTO event_text (hash, text) VALUES (text_hash('of a month that was dropped'), 'of a month that was dropped')`);
  expect(await findings()).toEqual([]);
});
