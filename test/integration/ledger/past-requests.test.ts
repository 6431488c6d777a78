import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { PastRequestLedger } from '../../../src/ledger/past-requests.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import { answered, aCredential, CallingWorld, unlimited } from '../../support/calling-world.js';

let world: CallingWorld;
let past: PastRequestLedger;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })] });
  past = new PastRequestLedger(world.prisma);
});
afterEach(() => world.close());

const left = () => world.prisma.request.count();
const tellCallers = () =>
  world.prisma
    .$executeRaw`UPDATE callback SET state = 'given_up', due_at = NULL, finished_at = now() WHERE state = 'pending'`;

/** Ended, as HSS knows no such task. */
async function anEnded(clusterIds: string[]): Promise<string> {
  const id = await world.aRequest({ clusterIds });
  await world.startAndSettle(answered.badTask);
  return id;
}

describe('past requests', () => {
  it('have the columns of their origins, in their order', async () => {
    const columns = (table: string) =>
      world.prisma.$queryRaw<object[]>`
        SELECT attname AS name, atttypid::regtype::text AS type, atttypmod AS size FROM pg_attribute
         WHERE attrelid = ${table}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
    expect(await columns('past_request')).toEqual(await columns('request'));
    expect((await columns('past_target')).slice(1)).toEqual(await columns('target'));
    expect(await columns('any_request')).toEqual(await columns('request'));
    expect(await columns('any_target')).toEqual(await columns('past_target'));
  });

  it('are moved once their caller has been told, and after a while', async () => {
    await anEnded(['a', 'b']);
    expect([await past.move(0), await left()]).toEqual([0, 1]);
    await tellCallers();
    expect([await past.move(60_000), await left()]).toEqual([0, 1]);
    await world.database.advance(60_001);
    expect([await past.move(60_000), await left()]).toEqual([1, 0]);
    expect(await world.prisma.pastTarget.count()).toBe(2);
    expect(await world.prisma.target.count()).toBe(0);
  });

  it('stay where they are while somebody else is in the same call', async () => {
    const mine = await world.aRequest({ clusterIds: ['a'] });
    const others = await world.aRequest({ clusterIds: ['a', 'b'], caller: 'other' });
    await world.startAndSettle(answered.accepted);
    await world.prisma.$executeRaw`
      UPDATE target SET state = 'done', call_id = NULL, result = 'succeeded' WHERE request_id = ${mine}::uuid`;
    await world.prisma.$executeRaw`
      UPDATE request SET state = 'finished', finished_at = now(), accepted = 0, succeeded = total WHERE id = ${mine}::uuid`;
    await tellCallers();
    expect([await past.move(0), await left()]).toEqual([0, 2]);
    await world.prisma.$executeRaw`UPDATE call SET verdict_due_at = NULL`;
    expect(await past.move(0)).toBe(1);
    expect(await world.prisma.request.findMany({ select: { id: true } })).toEqual([{ id: others }]);
  });

  it('are moved once by any number of movers at once', async () => {
    for (let n = 0; n < 8; n += 1) await anEnded([`a-${n}`, `b-${n}`]);
    await tellCallers();
    const moved = await Promise.all([1, 2, 3, 4].map(() => past.move(0)));
    expect(moved.reduce((sum, n) => sum + n)).toBe(8);
    expect([await left(), await world.prisma.pastRequest.count(), await world.prisma.pastTarget.count()]).toEqual([
      0, 8, 16,
    ]);
  });

  it('keep what was said of them as it is when they go, and not as it was when the move began', async () => {
    await anEnded(['a']);
    await tellCallers();
    await world.prisma.$executeRaw`
      INSERT INTO scan_item (target_id, round, call_id, scan_type, reason) SELECT id, 1, uuidv7(), 'benchmark', 'secret' FROM target`;
    const other = await connectWithin(world.database.url, 5_000);
    await other.query('BEGIN; SELECT FROM target FOR UPDATE');
    const moving = past.move(0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await other.query(`UPDATE target SET reason_text = 'redacted'; UPDATE scan_item SET reason = 'redacted'; COMMIT`);
    await other.end();
    expect(await moving).toBe(1);
    expect(await world.prisma.pastTarget.findMany()).toMatchObject([
      { reasonText: 'redacted', scanItems: [{ scanType: 'benchmark', reason: 'redacted' }] },
    ]);
    expect(await world.prisma.scanItem.count()).toBe(0);
  });
});
