import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EventExport } from '../../../src/audit/event-export.js';
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

async function verified(text: string, isPart = false): Promise<Report> {
  const file = join(folder, 'events.ndjson');
  await writeFile(file, text);
  return verifyExport(file, { heads: [], publicKey: null, isPart });
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

const anEvent = (projectId: string, at: string): Promise<number> =>
  world.prisma.$executeRaw`
    INSERT INTO event (id, at, kind, actor, project_id, data)
    VALUES ((substr(uuidv7_floor(${at}::timestamptz)::text, 1, 14) || substr(uuidv7()::text, 15))::uuid, ${at}::timestamptz,
            'test.happened', 'tester', ${projectId}, '{}')`;

/** Of two transactions at once, the one that began to write first stands first in the chain, also where it did so later. */
it('an export that is narrowed by time has no gap in a chain, however the times of its events lie', async () => {
  const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 20, 12, 0, seconds)).toISOString();
  for (const seconds of [0, 10, 5, 20, 15, 40, 30, 50]) await anEvent('p-mixed', at(seconds));
  await sealEverything(world.prisma);
  const seconds = async (query: string): Promise<number[]> => {
    const text = await (await getExport(auditor, `kind=events&format=ndjson&${query}`)).text();
    expect((await verified(text, true)).findings).toEqual([]);
    const lines = text.split('\n').slice(0, -1);
    const events = lines.map((line) => JSON.parse(line) as { projectId: string; event: { at: string } });
    return events.filter(({ projectId }) => projectId === 'p-mixed').map(({ event }) => Number(event.at.slice(17, 19)));
  };
  expect(await seconds(`since=${at(8)}&until=${at(35)}`)).toEqual([10, 5, 20, 15, 40, 30]);
  expect(await seconds(`since=${at(8)}`)).toEqual([10, 5, 20, 15, 40, 30, 50]);
  expect(await seconds(`until=${at(16)}&projectId=p-mixed`)).toEqual([0, 10, 5, 20, 15]);
  expect(await seconds(`until=${at(16)}&projectId=p-mixed&limit=2`)).toEqual([0, 10]);
  // Near by, but none within.
  expect(await seconds(`since=${at(55)}&until=${at(58)}`)).toEqual([]);
  expect(await seconds(`until=${at(0)}`)).toEqual([]);
});

it('an export of events ends where a chain ended when it began, also where nothing was near', async () => {
  const source = new EventExport(world.record);
  await anEvent('p-quiet', '2026-11-20T11:50:00Z');
  await sealEverything(world.prisma);
  const until = new Date('2026-11-20T12:00:00Z');
  const scope = await source.scope({ projects: ['p-quiet'], since: null, until });
  await anEvent('p-quiet', '2026-11-20T12:02:00Z');
  await sealEverything(world.prisma);
  const lines = (await source.page(scope, null, 10)).map(
    (line) => JSON.parse(line) as { seq: number; wanted: boolean },
  );
  expect(lines.map(({ seq, wanted }) => [seq, wanted])).toEqual([
    [1, true],
    [2, false],
  ]);
});
