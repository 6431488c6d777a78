import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  aCredential,
  answered,
  CallingWorld,
  clusterIds,
  clustersOf,
  unlimited,
  type WorldOptions,
} from '../../support/calling-world.js';
import { expectInvariants } from '../../support/invariants.js';

let world: CallingWorld;

const open = async (options: WorldOptions = {}): Promise<void> => {
  world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })], ...options });
};
beforeEach(() => open());
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

/** The scan tasks of the calls that leave, in order. */
const tasksOf = async (calls: number): Promise<string[]> => {
  const tasks: string[] = [];
  for (let n = 0; n < calls; n += 1) tasks.push((await world.startAndSettle(answered.accepted)).taskId);
  return tasks;
};
const countOf = (list: readonly string[], start: string): number => list.filter((one) => one.startsWith(start)).length;

describe('whose call is opened', () => {
  it('lets a caller of ten clusters wait for one call of another who has thousands', async () => {
    await world.aRequest({ caller: 'big', taskId: 'big', clusterIds: clusterIds(3_000) });
    await tasksOf(3);
    await world.aRequest({ caller: 'small', taskId: 'small', clusterIds: clusterIds(10) });
    expect(await tasksOf(2)).toContain('small');
  });

  it('gives each caller its turn, by weight, however many requests one has', async () => {
    for (let n = 0; n < 12; n += 1) await world.aRequest({ caller: 'many', taskId: `many-${n}`, clusterIds: ['a'] });
    for (let n = 0; n < 12; n += 1) await world.aRequest({ caller: 'other', taskId: `other-${n}`, clusterIds: ['a'] });
    const even = await tasksOf(6);
    expect([countOf(even, 'many'), countOf(even, 'other')]).toEqual([3, 3]);
    await world.prisma.laneShare.updateMany({ where: { caller: 'other' }, data: { weight: 2 } });
    const weighted = await tasksOf(6);
    expect([countOf(weighted, 'many'), countOf(weighted, 'other')]).toEqual([2, 4]);
  });

  it('fills it with the clusters of whom it is opened for, and only then with older ones', async () => {
    await world.aRequest({ caller: 'big', clusterIds: clusterIds(700, 'big') });
    await world.aRequest({ caller: 'small', clusterIds: ['small-1', 'small-2'] });
    await tasksOf(1);
    const call = await world.start();
    expect(clustersOf(call)).toEqual(expect.arrayContaining(['small-1', 'small-2']));
    expect(clustersOf(call)).toHaveLength(200);
  });

  it('takes the nearest deadline of a caller first, and otherwise what has waited longest', async () => {
    const inAnHour = new Date(Date.now() + 3_600_000);
    await world.aRequest({ taskId: 'first', clusterIds: ['a'] });
    await world.aRequest({ taskId: 'second', clusterIds: ['a'] });
    await world.aRequest({ taskId: 'with-deadline', clusterIds: ['a'], deadline: inAnHour });
    expect(await tasksOf(3)).toEqual(['with-deadline', 'first', 'second']);
  });

  it('gives urgent work half of its caller’s share while others wait', async () => {
    for (let n = 0; n < 8; n += 1) {
      await world.aRequest({ caller: 'a', taskId: `urgent-${n}`, clusterIds: ['a'], priority: 'urgent' });
      await world.aRequest({ caller: 'a', taskId: `own-${n}`, clusterIds: ['a'] });
      await world.aRequest({ caller: 'b', taskId: `other-${n}`, clusterIds: ['a'] });
    }
    const calls = await tasksOf(8);
    expect(['urgent', 'own', 'other'].map((start) => countOf(calls, start))).toEqual([2, 2, 4]);
  });

  it('raises what has waited for ten minutes, but not above what is urgent', async () => {
    await world.aRequest({ taskId: 'background', clusterIds: ['a'], priority: 'background' });
    await world.database.advance(11 * 60_000);
    await world.aRequest({ taskId: 'normal', clusterIds: ['a'] });
    await world.aRequest({ taskId: 'urgent', clusterIds: ['a'], priority: 'urgent' });
    expect(await tasksOf(3)).toEqual(['urgent', 'background', 'normal']);
  });
});

describe('a call that is not full', () => {
  beforeEach(async () => {
    await world.close();
    await open({ policy: { lingerMs: 60_000 } });
  });

  it('waits for company while it could leave, and says until when', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    const turn = await world.look();
    if (turn.kind !== 'nothing' || !turn.nextLookAt) throw new Error('it should linger');
    expect(turn.nextLookAt.getTime() - turn.now.getTime()).toBeGreaterThan(50_000);
    await world.aRequest({ clusterIds: ['b'] });
    await world.database.advance(60_000);
    expect(clustersOf(await world.start())).toEqual(['a', 'b']);
  });

  it('is not overtaken meanwhile: where another wants the slot, it leaves', async () => {
    await world.aRequest({ caller: 'big', taskId: 'big', clusterIds: clusterIds(1_000) });
    await tasksOf(2);
    await world.aRequest({ caller: 'small', taskId: 'small', clusterIds: ['a'] });
    expect(await tasksOf(2)).toContain('small');
  });

  it('does not wait beyond its deadline, nor alone for nobody', async () => {
    const soon = new Date(Date.now() + 30_000);
    await world.aRequest({ taskId: 'soon', clusterIds: ['a'], deadline: soon });
    await world.aRequest({ taskId: 'whole' });
    expect((await tasksOf(2)).sort()).toEqual(['soon', 'whole']);
  });

  it('leaves at once where it is urgent, or is filled', async () => {
    await world.aRequest({ taskId: 'urgent', clusterIds: ['a'], priority: 'urgent' });
    expect((await world.start()).taskId).toBe('urgent');
    await world.aRequest({ clusterIds: clusterIds(150) });
    expect((await world.look()).kind).toBe('nothing');
    await world.aRequest({ clusterIds: clusterIds(50, 'more') });
    expect(clustersOf(await world.start())).toHaveLength(200);
  });
});
