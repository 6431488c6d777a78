import { expect, it } from '@jest/globals';
import { link, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordMonthLedger } from '../../../src/ledger/record-months.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Archivist } from '../../../src/retention/archivist.js';
import { SealedRows } from '../../../src/verifying/sealed-rows.js';
import { createTestDatabase } from '../../support/test-database.js';
import { createTestFolder } from '../../support/test-folder.js';

it('a manifest is never written over: a loss of power would leave half of it', async () => {
  const [database, folder] = await Promise.all([createTestDatabase(), createTestFolder('manifest')]);
  const prisma = new PrismaService(database.url, 1);
  const [manifest, same] = [join(folder, 'lists-2026-01.json'), join(folder, 'same.json')];
  await writeFile(manifest, 'of the last time');
  await link(manifest, same);
  await new Archivist(new RecordMonthLedger(prisma), new SealedRows(prisma), folder).archive({
    kind: 'lists',
    month: '2026-01',
  });
  expect(JSON.parse(await readFile(manifest, 'utf8'))).toMatchObject({ kind: 'lists', rows: { list_call: 0 } });
  expect(await readFile(same, 'utf8')).toBe('of the last time');
  expect((await readdir(folder)).sort()).toEqual(['lists-2026-01.json', 'lists-2026-01.ndjson.gz', 'same.json']);
  await prisma.$disconnect();
  await database.drop();
});
