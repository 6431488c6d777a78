import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answered, CallingWorld } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';

let world: CallingWorld;
beforeEach(async () => {
  world = await CallingWorld.open();
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const events = async () => {
  const rows = await world.prisma.event.findMany({ orderBy: { id: 'asc' } });
  return rows.map(({ kind, actor, data }) => ({ kind, actor, data }));
};

describe('what happens by itself', () => {
  it('is recorded by the statement that does it: a call, its answer, its decision, and every end', async () => {
    const request = await world.aRequest({ clusterIds: ['a', 'b'] });
    await world.startAndSettle(answered.badTask);
    const targets = await world.prisma.target.findMany({ where: { requestId: request }, orderBy: { id: 'asc' } });
    expect(await events()).toMatchObject([
      { kind: 'request.submitted', data: { source: 'api', targets: 2 } },
      {
        kind: 'call.started',
        actor: 'rescan',
        data: { taskId: 'task-1', clusters: 2, bodySha256: expect.any(String) },
      },
      { kind: 'call.rejected', data: { from: 'sending', decision: { call: 'rejected' }, durationMs: 5 } },
      { kind: 'targets.ended', data: { result: 'rejected', targets: targets.map(({ id }) => Number(id)) } },
      { kind: 'request.ended', data: { state: 'finished', counts: { total: 2, rejected: 2 } } },
    ]);
  });

  it('names a text of the upstream by its hash, and keeps it once', async () => {
    for (const id of ['a', 'b']) {
      await world.aRequest({ clusterIds: [id] });
      await world.startAndSettle(answered.badTask);
    }
    const said = await world.prisma.event.findMany({ where: { kind: 'call.rejected' } });
    expect(said).toHaveLength(2);
    const texts = await world.prisma.eventText.findMany({
      where: { hash: { in: said.map((one) => one.textHash ?? new Uint8Array()) } },
    });
    expect(texts).toMatchObject([{ text: answered.badTask.evidence.errorText }]);
  });

  it('leaves nothing on record of what was rolled back', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    const call = await world.start();
    const before = (await events()).length;
    await expect(
      world.prisma.transact(async (tx) => {
        await tx.$executeRaw`UPDATE call SET effect = 'seen' WHERE id = ${call.id}::uuid`;
        throw new Error('dies');
      }),
    ).rejects.toThrow('dies');
    expect(await events()).toHaveLength(before);
  });
});

describe('the record', () => {
  const forbidden = [
    "UPDATE event SET actor = 'nobody'",
    'DELETE FROM event',
    'TRUNCATE event',
    'DELETE FROM event_2026_11',
  ];

  it.each(forbidden)('refuses %s to anyone', async (statement) => {
    await world.aRequest({ clusterIds: ['a'] });
    const [part] = await world.prisma.$queryRaw<
      { name: string }[]
    >`SELECT tableoid::regclass::text AS name FROM event LIMIT 1`;
    const own = statement.replace('event_2026_11', part?.name ?? '');
    // The owner: the service itself is refused by privilege.
    await expect(world.database.asOwner(own)).rejects.toThrow(/append-only/);
  });

  it('refuses TRUNCATE of a month, of what is in none and of a month made later to anyone', async () => {
    await world.prisma.$queryRaw`SELECT ensure_partitions(5)`;
    const parts = await world.prisma.$queryRaw<{ name: string }[]>`
      SELECT inhrelid::regclass::text AS name FROM pg_inherits
       WHERE inhparent IN ('event'::regclass, 'event_seal'::regclass, 'seal_head'::regclass)`;
    // Of each: this month, the five after it, and the default partition.
    expect(parts.length).toBeGreaterThanOrEqual(3 * 7);
    for (const { name } of parts) {
      await expect(world.database.asOwner(`TRUNCATE ${name}`)).rejects.toThrow(`${name} is append-only`);
    }
  });
});
