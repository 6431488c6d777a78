import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RollupLedger } from '../../../src/ledger/rollups.js';
import { SealLedger } from '../../../src/ledger/seals.js';
import { onCrashPoint } from '../../../src/platform/crash-points.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Sealer } from '../../../src/sealing/sealer.js';
import { answered, CallingWorld } from '../../support/calling-world.js';
import { expectChains, sealEverything, someEvents } from '../../support/chains.js';
import { eventually } from '../../support/eventually.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let database: TestDatabase;
let prisma: PrismaService;
let sealer: Sealer;
beforeEach(async () => {
  database = await createTestDatabase();
  prisma = new PrismaService(database.url, 12);
  sealer = new Sealer(prisma, new SealLedger(), new RollupLedger());
});
afterEach(async () => {
  onCrashPoint(() => undefined);
  await prisma.$disconnect();
  await database.drop();
});

async function sealAll(limit?: number): Promise<void> {
  while (await sealer.sealBatch(limit));
}

const eventCount = () => prisma.event.count();

describe('the sealer', () => {
  it('chains the events of each project, and those of none, by themselves', async () => {
    await someEvents(prisma, 7, 'p-1');
    await someEvents(prisma, 3, null);
    await someEvents(prisma, 5, 'p-2');
    await someEvents(prisma, 4, 'p-1');
    await sealEverything(prisma, 4);
    expect(await expectChains(database.url)).toEqual({ '': 3, 'p-1': 11, 'p-2': 5 });
  });

  it('chains what the database records of calls and targets', async () => {
    const world = await CallingWorld.open();
    await world.aRequest({ clusterIds: ['a', 'b'] });
    await world.startAndSettle(answered.badTask);
    await sealEverything(world.prisma);
    expect(await expectChains(world.database.url)).toEqual({ 'project-1': 5 });
    await world.close();
  });

  it('waits for a transaction that commits late, and neither loses its events nor leaves a gap', async () => {
    await sealAll();
    const began = withResolvers();
    const end = withResolvers();
    const late = prisma.transact(async (tx) => {
      await someEvents(tx, 2);
      began.resolve();
      await end.promise;
    });
    await began.promise;
    await someEvents(prisma, 5);
    await sealAll();
    expect(await expectChains(database.url)).toEqual({});
    end.resolve();
    await late;
    await sealEverything(prisma);
    expect(await expectChains(database.url)).toEqual({ 'p-1': 7 });
    const [first] = await prisma.$queryRaw<{ n: number }[]>`
      SELECT (e.data->>'n')::int AS n FROM event_seal AS s JOIN event AS e ON e.id = s.event_id WHERE s.seq = 3`;
    expect(first).toEqual({ n: 1 });
  });

  it('leaves nothing out and takes nothing twice while many write, some of them slowly, and four seal', async () => {
    let writing = true;
    const writers = Array.from({ length: 6 }, async (_one, index) => {
      for (let turn = 0; turn < 25; turn += 1) {
        await prisma.transact(async (tx) => {
          await someEvents(tx, 3, `p-${(index + turn) % 3}`);
          await tx.$executeRaw`SELECT pg_sleep(${(turn % 5) / 100}::float8)`;
          await someEvents(tx, 1, null);
        });
      }
    });
    const sealers = Array.from({ length: 4 }, async () => {
      const own = new Sealer(prisma, new SealLedger(), new RollupLedger());
      while (writing) await own.sealBatch(17);
    });
    await Promise.all(writers);
    writing = false;
    await Promise.all(sealers);
    await sealEverything(prisma);
    expect(await expectChains(database.url)).toEqual({ '': 150, 'p-0': 150, 'p-1': 150, 'p-2': 150 });
  });

  it('takes fewer at once where they are large', async () => {
    await someEvents(prisma, 1);
    await sealEverything(prisma);
    await prisma.$executeRaw`
      INSERT INTO event (kind, actor, project_id, data)
      SELECT 'test.happened', 'tester', 'p-1', (SELECT jsonb_agg(md5((n * i)::text)) FROM generate_series(1, 20000) AS i)
        FROM generate_series(1, 4) AS n`;
    const seals: [sealed: number, isMore: boolean][] = [];
    const isDone = async (): Promise<boolean> => {
      const before = await prisma.eventSeal.count();
      const isMore = await sealer.sealBatch();
      const sealed = (await prisma.eventSeal.count()) - before;
      if (sealed > 0) seals.push([sealed, isMore]);
      return before + sealed === 5;
    };
    await eventually(isDone);
    // Where there was no more, it may rest, and heads are published: under load there is always a little more.
    expect(seals).toEqual([
      [2, true],
      [2, false],
    ]);
    expect(await expectChains(database.url)).toEqual({ 'p-1': 5 });
  });

  it('does not wait for another that seals just now', async () => {
    await someEvents(prisma, 3);
    await prisma.transact(async (tx) => {
      expect(await new SealLedger().take(tx)).not.toBeNull();
      expect(await sealer.sealBatch()).toBe(false);
    });
    expect(await expectChains(database.url)).toEqual({});
  });

  it('seals a whole batch or nothing of it, where it dies in the middle', async () => {
    await someEvents(prisma, 10);
    await sealEverything(prisma);
    await someEvents(prisma, 10);
    onCrashPoint((point) => {
      if (point === 'seal.written') throw new Error('dies');
    });
    await eventually(() => sealer.sealBatch(4).then(() => false, isDeath));
    expect(await expectChains(database.url)).toEqual({ 'p-1': 10 });
    onCrashPoint(() => undefined);
    await sealEverything(prisma, 4);
    expect(await expectChains(database.url)).toEqual({ 'p-1': 20 });
  });

  it('goes on where the server ended its connection before the commit', async () => {
    await someEvents(prisma, 10);
    const killer = new PrismaService(database.url, 1);
    const ledger = new SealLedger();
    const advance = ledger.advance.bind(ledger);
    ledger.advance = async (tx, progress) => {
      await advance(tx, progress);
      const [own] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      await killer.$queryRaw`SELECT pg_terminate_backend(${own?.pid ?? 0}::int)::text`;
    };
    const doomed = new Sealer(prisma, ledger, new RollupLedger());
    await eventually(() =>
      doomed.sealBatch().then(
        () => false,
        () => true,
      ),
    );
    await killer.$disconnect();
    expect(await expectChains(database.url)).toEqual({});
    await sealEverything(prisma);
    expect(await expectChains(database.url)).toEqual({ 'p-1': 10 });
  });
});

describe('after the database was restored into another server', () => {
  /** As a dump brings them: with the numbers that the transactions had over there. */
  const fromThere = (txs: readonly string[]) => prisma.$executeRaw`
    INSERT INTO event (tx, kind, actor, project_id, data)
    SELECT one.tx::xid8, 'test.happened', 'tester', 'p-1', '{}' FROM unnest(${[...txs]}::text[]) AS one (tx)`;
  const nextTx = async () => {
    const [row] = await prisma.$queryRaw<{ tx: string }[]>`SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS tx`;
    return Number(row?.tx);
  };
  const isSealedAs = async (n: number) => {
    await sealEverything(prisma, 3);
    expect(await expectChains(database.url)).toEqual({ 'p-1': n });
    expect(await eventCount()).toBe(n);
  };

  it.each([
    ['that counts lower', 1_000_000],
    ['whose counter stands among the old numbers', 3],
    ['that counts higher', -500],
  ])('%s: seals what was not sealed over there, once, and what is new', async (_title, offset) => {
    await someEvents(prisma, 4);
    await isSealedAs(4);
    const there = (await nextTx()) + offset;
    await fromThere(Array.from({ length: 10 }, (_one, index) => String(there + index)));
    await prisma.$executeRaw`
      UPDATE seal_progress SET server = 'another', tx = ${String(there + 3)}::xid8, event_id = ${randomUUID()}::uuid`;
    await someEvents(prisma, 5);
    while (await sealer.sealBatch(3));
    // Numbers that were just ahead of this server's are among its own soon, and are looked at once more.
    for (let turn = 0; turn < 15; turn += 1) await someEvents(prisma, 1);
    await isSealedAs(4 + 10 + 5 + 15);
    const [progress] = await prisma.$queryRaw<
      object[]
    >`SELECT walk_id, server <> 'another' AS known FROM seal_progress`;
    expect(progress).toEqual({ walk_id: null, known: true });
  });

  it('goes on with its walk where it died in the middle of it', async () => {
    await fromThere(Array.from({ length: 10 }, (_one, index) => String(2_000_000 + index)));
    await prisma.$executeRaw`UPDATE seal_progress SET tx = '3000000'`;
    let batches = 0;
    onCrashPoint((point) => {
      if (point === 'seal.written' && (batches += 1) === 3) throw new Error('dies');
    });
    await expect(sealAll(2)).rejects.toThrow('dies');
    expect(await expectChains(database.url)).toEqual({ 'p-1': 4 });
    await isSealedAs(10);
  });
});

const isDeath = (error: unknown): boolean => error instanceof Error && error.message === 'dies';

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
