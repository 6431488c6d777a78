import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CallingWorld, PROJECT } from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';
import { aSchedule, failedClusters, firesOf, lastFire, taskList } from '../../support/schedules.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let world: CallingWorld;
beforeEach(async () => {
  world = await CallingWorld.open();
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

const take = (): Promise<void> => world.dueSchedules.take();
const advance = (ms: number): Promise<void> => world.database.advance(ms);
/** It finds nothing. */
const endFire = async (): Promise<void> => {
  await world.list(taskList({}), world.laneFor('listTasks'));
};
const dueTimes = async (scheduleId: string): Promise<number[]> => {
  const { createdAt } = await world.prisma.schedule.findUniqueOrThrow({ where: { id: scheduleId } });
  const fires = await world.prisma.scheduleFire.findMany({ where: { scheduleId }, orderBy: { dueAt: 'asc' } });
  return fires.map(({ dueAt }) => (dueAt.getTime() - createdAt.getTime()) / HOUR);
};

describe('a due time', () => {
  it('is taken when it has come, and not before', async () => {
    const schedule = await aSchedule(world);
    await advance(HOUR - 5_000);
    await take();
    expect(await firesOf(world, schedule)).toEqual([]);
    await advance(5_000);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['open']);
    expect(await dueTimes(schedule)).toEqual([1]);
  });

  it('is taken once, however many sweeps look at once', async () => {
    const schedules = await Promise.all(Array.from({ length: 5 }, () => aSchedule(world)));
    await advance(HOUR);
    await Promise.all(Array.from({ length: 6 }, take));
    for (const schedule of schedules) expect(await firesOf(world, schedule)).toEqual(['open']);
    expect(await world.prisma.event.count({ where: { kind: 'schedule.fired' } })).toBe(5);
  });

  it('is not taken by a transaction that does not come to its end', async () => {
    const schedule = await aSchedule(world);
    await advance(HOUR);
    const crash = world.prisma.$transaction(async (tx) => {
      const row = await world.schedules.takeDue(tx);
      const now = await world.schedules.now(tx);
      const fire = {
        dueAt: row!.nextDueAt!,
        kind: 'scheduled',
        skipped: null,
        missedSince: null,
        now,
        expiresAt: now,
      } as const;
      expect(await world.fires.insert(tx, row!, fire)).not.toBeNull();
      // Whoever sweeps meanwhile takes it for somebody else's.
      await take();
      throw new Error('killed');
    });
    await expect(crash).rejects.toThrow('killed');
    expect(await firesOf(world, schedule)).toEqual([]);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['open']);
  });

  it('follows the one before, step by step', async () => {
    const schedule = await aSchedule(world);
    for (let hour = 1; hour <= 4; hour += 1) {
      await advance(HOUR);
      await take();
      await endFire();
    }
    expect(await firesOf(world, schedule)).toEqual(['done', 'done', 'done', 'done']);
    expect(await dueTimes(schedule)).toEqual([1, 2, 3, 4]);
  });

  it('waits for its jitter', async () => {
    const schedule = await aSchedule(world, { jitter: '30m' });
    const { nextDueAt, nextFireAt } = await world.prisma.schedule.findUniqueOrThrow({ where: { id: schedule } });
    await advance(HOUR + 30 * MINUTE);
    await take();
    const { dueAt, createdAt } = await lastFire(world, schedule);
    expect(dueAt).toEqual(nextDueAt);
    expect(createdAt >= nextFireAt!).toBe(true);
  });

  it('of a paused or deleted schedule is none', async () => {
    const paused = await aSchedule(world, { enabled: false });
    const deleted = await aSchedule(world);
    await world.prisma.transact(async (tx) => world.schedules.delete(tx, deleted, await world.schedules.now(tx)));
    await advance(3 * HOUR);
    await take();
    expect([await firesOf(world, paused), await firesOf(world, deleted)]).toEqual([[], []]);
  });

  it('of one that cannot be planned keeps no other from its own', async () => {
    const lost = await aSchedule(world);
    await world.prisma.$executeRaw`
      UPDATE schedule SET terms = terms || '{"every": null, "cron": {"expression": "* * * * *", "timezone": "Mars/Olympus"}}'
       WHERE id = ${lost}::uuid`;
    const other = await aSchedule(world);
    await advance(HOUR);
    await take();
    expect([await firesOf(world, lost), await firesOf(world, other)]).toEqual([[], ['open']]);
    await world.prisma.$executeRaw`
      UPDATE schedule SET terms = terms || '{"every": "1h", "cron": null}' WHERE id = ${lost}::uuid`;
    await advance(5 * MINUTE);
    await take();
    expect(await firesOf(world, lost)).toEqual(['open']);
  });
});

describe('due times that passed while nobody looked', () => {
  it.each([
    ['once', ['open']],
    ['skip', ['skipped missed']],
  ] as const)('are caught up as told: %s', async (catchUp, expected) => {
    const schedule = await aSchedule(world, { catchUp });
    await advance(5 * HOUR + 10 * MINUTE);
    await take();
    await take();
    expect(await firesOf(world, schedule)).toEqual(expected);
    expect(await dueTimes(schedule)).toEqual([5]);
    const { missedSince, dueAt } = await lastFire(world, schedule);
    expect(dueAt.getTime() - missedSince!.getTime()).toBe(4 * HOUR);
    await advance(50 * MINUTE);
    await take();
    expect((await dueTimes(schedule)).at(-1)).toBe(6);
  });

  it('are no hindrance to the one that is on time', async () => {
    const schedule = await aSchedule(world, { catchUp: 'skip' });
    await advance(3 * HOUR + 1_000);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['open']);
    expect(await dueTimes(schedule)).toEqual([3]);
  });

  it('may be many', async () => {
    const schedule = await aSchedule(world, { cron: { expression: '* * * * *', timezone: 'Europe/Berlin' } });
    await advance(400 * 24 * HOUR);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['open']);
  });
});

describe('a clock that is set', () => {
  it('back takes no due time twice, and holds none up', async () => {
    const schedule = await aSchedule(world);
    for (let hour = 1; hour <= 3; hour += 1) {
      await advance(HOUR);
      await take();
      await endFire();
    }
    await advance(-2 * HOUR - 30 * MINUTE);
    for (let half = 0; half < 5; half += 1) {
      await advance(30 * MINUTE);
      await take();
    }
    expect(await dueTimes(schedule)).toEqual([1, 2, 3]);
    await advance(HOUR);
    await take();
    expect(await dueTimes(schedule)).toEqual([1, 2, 3, 4]);
  });

  it('far ahead and back again goes on as if it had not been', async () => {
    const schedule = await aSchedule(world);
    await advance(1_000 * HOUR);
    await take();
    await endFire();
    await advance(-999 * HOUR);
    await take();
    await take();
    expect(await dueTimes(schedule)).toEqual([1_000]);
    await advance(HOUR);
    await take();
    expect(await dueTimes(schedule)).toEqual([2, 1_000]);
  });
});

describe('while its last fire is open', () => {
  it('a due time is skipped, and says so', async () => {
    const schedule = await aSchedule(world);
    await advance(HOUR);
    await take();
    await advance(HOUR);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['open', 'skipped still_open']);
    await endFire();
    await advance(HOUR);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['done', 'skipped still_open', 'open']);
  });

  it('in a request of it, a due time is skipped as well', async () => {
    const schedule = await aSchedule(world);
    await advance(HOUR);
    await take();
    await world.list(taskList({ t1: 1 }), world.laneFor('listTasks'));
    await world.list(failedClusters(['a']));
    await advance(HOUR);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['done', 'skipped still_open']);
    const [{ id }] = (await world.prisma.request.findMany({ where: { projectId: PROJECT }, select: { id: true } })) as [
      { id: string },
    ];
    await world.requests.markCancelled(id, { caller: 'tester', keyId: crypto.randomUUID() });
    await world.requests.endWaiting(id);
    await advance(HOUR);
    await take();
    expect((await firesOf(world, schedule)).at(-1)).toBe('open');
  });

  it('for half a day, it ends as not read, and the next one begins', async () => {
    const schedule = await aSchedule(world);
    await advance(HOUR);
    await take();
    await advance(12 * HOUR);
    await take();
    expect(await firesOf(world, schedule)).toEqual(['failed not_read_in_time', 'open']);
  });
});
