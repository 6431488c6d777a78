import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyExport, type Report } from '../../../src/verifying/verify.js';
import type { ApiClient } from '../../support/api-client.js';
import { openAuditApp, type AuditApp } from '../../support/audit-app.js';
import { answered, CallingWorld, PROJECT } from '../../support/calling-world.js';
import { sealEverything } from '../../support/chains.js';
import { getExport } from '../../support/exports.js';
import { createTestFolder } from '../../support/test-folder.js';

let world: CallingWorld;
let app: AuditApp;
let auditor: ApiClient;
let folder: string;
beforeAll(async () => {
  folder = await createTestFolder('export');
  world = await CallingWorld.open();
  app = await openAuditApp(world.database.url);
  auditor = await app.client();
  await world.aRequest({ clusterIds: ['a', 'b'] });
  await world.startAndSettle(answered.badTask);
  await world.control.changeLane(world.lane.id, { limit: 3 }, { caller: 'operator', keyId: crypto.randomUUID() });
  await sealEverything(world.prisma);
});
afterAll(async () => {
  await app.close();
  await world.close();
});

async function verified(text: string): Promise<Report> {
  const file = join(folder, 'events.ndjson');
  await writeFile(file, text);
  return verifyExport(file, { heads: [], publicKey: null, isPart: false });
}

/** What the service seals, what it exports and what is checked offline are three places: only together do they prove anything. */
it('an export of events verifies as it comes from the service, and not when a word of it is changed', async () => {
  const text = await (await getExport(auditor, 'kind=events&format=ndjson')).text();
  const { events, findings } = await verified(text);
  expect(findings).toEqual([]);
  expect(events).toBe(await world.prisma.eventSeal.count());
  const changed = await verified(text.replace('"result":"rejected"', '"result":"succeeded"'));
  expect(changed.findings).toMatchObject([{ projectId: PROJECT, what: 'changed' }]);
});
