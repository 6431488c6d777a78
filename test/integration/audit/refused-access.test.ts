import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { EventLedger } from '../../../src/ledger/events.js';
import { Refused } from '../../../src/security/refused.js';
import { RefusedAccess } from '../../../src/security/refused-access.js';
import type { Authenticated } from '../../../src/security/route-access.js';
import { CallingWorld } from '../../support/calling-world.js';

let world: CallingWorld;
let refused: RefusedAccess;
beforeEach(async () => {
  world = await CallingWorld.open();
  refused = new RefusedAccess(new EventLedger(world.prisma));
});
afterEach(() => world.close());

const unknownKey = new Refused('unauthenticated', 'Send a valid API key.', 'unknown_key');
const asked = (url: string, method = 'GET') => ({ method, routeOptions: { url } }) as Authenticated;
const recorded = async () => {
  const rows = await world.prisma.event.findMany({ where: { kind: 'access.refused' }, orderBy: { id: 'asc' } });
  return rows.map(({ actor, keyId, projectId, data }) => ({ actor, keyId, projectId, data }));
};

describe('refused accesses', () => {
  it('are one event for each key, route and reason, with their number, however many there were', async () => {
    for (let n = 0; n < 10_000; n += 1) refused.note(unknownKey, asked('/v1/requests/:id'));
    const by = { caller: 'team-a', keyId: randomUUID() };
    refused.note(new Refused('unauthenticated', 'Send a valid API key.', 'revoked_key', by), asked('/v1/calls'));
    refused.note(new Error('no refusal'), asked('/v1/calls'));
    await refused.flush();
    await refused.flush();
    expect(await recorded()).toEqual([
      {
        actor: 'nobody',
        keyId: null,
        projectId: null,
        data: {
          method: 'GET',
          route: '/v1/requests/:id',
          reason: 'unknown_key',
          count: 10_000,
          since: expect.any(String),
        },
      },
      {
        actor: 'team-a',
        keyId: by.keyId,
        projectId: null,
        data: { method: 'GET', route: '/v1/calls', reason: 'revoked_key', count: 1, since: expect.any(String) },
      },
    ]);
  });

  it('are kept within bounds, and none of them goes uncounted', async () => {
    for (let n = 0; n < 5_000; n += 1) refused.note(unknownKey, asked(`/v1/${n}`));
    await refused.flush();
    const events = (await recorded()).map(({ data }) => data as { route: string; count: number });
    expect(events).toHaveLength(1_001);
    expect(events.at(-1)).toMatchObject({ route: '*', count: 4_000 });
  });

  it('wait for a record that cannot be written', async () => {
    await world.database.asOwner('REVOKE INSERT ON event FROM rescan_service');
    refused.note(unknownKey, asked('/v1/calls'));
    await refused.flush();
    refused.note(unknownKey, asked('/v1/calls'));
    await world.database.asOwner('GRANT INSERT ON event TO rescan_service');
    await refused.beforeApplicationShutdown();
    expect(await recorded()).toMatchObject([{ data: { count: 2 } }]);
  });
});
