import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SummaryReader } from '../../../src/audit/summary-reader.js';
import { SummaryQueryDto } from '../../../src/audit/summary.dto.js';
import { RollupLedger } from '../../../src/ledger/rollups.js';
import { encodeCursor } from '../../../src/platform/http/page.js';
import type { Principal } from '../../../src/security/principal.js';
import { aCredential, answered, CallingWorld, noLimits, PROJECT, TASK } from '../../support/calling-world.js';
import { sealEverything } from '../../support/chains.js';
import { expectInvariants } from '../../support/invariants.js';
import { clusters, runningTasks, scan, tasks } from '../../support/list-pages.js';

const MINUTE = 60_000;

const auditor: Principal = { keyId: 'key', caller: 'auditor', scopes: ['audit:read'], projects: [PROJECT] };

let world: CallingWorld;
let counted: Set<string>;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ limits: noLimits })] });
  counted = new Set();
});
afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

/** As the sealer does: each event once. */
async function count(): Promise<void> {
  const events = await world.prisma.event.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
  const fresh = events.map(({ id }) => id).filter((id) => !counted.has(id));
  for (const id of fresh) counted.add(id);
  await world.prisma.transact((tx) => new RollupLedger().add(tx, fresh));
}

const by = async (groupBy: SummaryQueryDto['groupBy'], asked: Partial<SummaryQueryDto> = {}, who = auditor) => {
  await count();
  return new SummaryReader(world.prisma).read({ groupBy, limit: 50, ...asked }, who);
};

describe('a summary', () => {
  it('counts calls by their state and targets by their result, with what they took', async () => {
    await world.aRequest({ clusterIds: ['a', 'b', 'c'] });
    await world.startAndSettle(answered.badTask);
    await world.aRequest({ clusterIds: ['d'] });
    await world.startAndSettle(answered.accepted);
    expect((await by('state')).items).toMatchObject([
      {
        key: 'accepted',
        targets: 0,
        results: {},
        calls: 1,
        clustersPerCall: 1,
        successRate: null,
        timeToVerdict: null,
      },
      { key: 'rejected', targets: 3, results: { rejected: 3 }, calls: 1, clustersPerCall: 3, successRate: null },
    ]);
    expect((await by('task')).items).toMatchObject([{ key: TASK, targets: 3, calls: 2, clustersPerCall: 2 }]);
    expect((await by('errorCode')).items.map(({ key, calls }) => [key, calls])).toEqual([
      [answered.badTask.evidence.errorCode, 1],
      ['none', 1],
    ]);
    expect((await by('reason')).items).toMatchObject([{ targets: 3, calls: 0, clustersPerCall: null }]);
  });

  it('says how long it took until acceptance and verdict, and how many calls a success', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    await world.startAndSettle(answered.gatewayDown);
    await world.database.advance(10 * MINUTE);
    const { at } = await world.startAndSettle(answered.accepted);
    await world.database.advance(20 * MINUTE);
    await world.list(runningTasks([]), world.laneFor('listTasks'));
    const times = { startTime: new Date(at.getTime() + 5_000), endTime: new Date(at.getTime() + 40_000) };
    await world.list(clusters([scan('a', 'success', times)]));
    const [row] = (await by('reason')).items;
    expect(row).toMatchObject({ key: 'scanned', successRate: 1, attemptsUntilSuccess: 2 });
    for (const [span, minutes] of [
      [row?.timeToAccepted, 10],
      [row?.timeToVerdict, 30],
    ] as const) {
      expect(span?.p50).toBeGreaterThanOrEqual(minutes * 60);
      // A bucket's width, and what the test itself took.
      expect(span?.p95).toBeLessThan(minutes * 60 * 1.5);
    }
  });

  it('counts the call of another request whose scan was that of a target too', async () => {
    await world.aRequest({ clusterIds: ['a'], caller: 'one' });
    const call = await world.start();
    const { at } = call;
    await world.aRequest({ clusterIds: ['a'], caller: 'parked' });
    await world.look();
    await world.settle(call, answered.accepted);
    await world.database.advance(20 * MINUTE);
    await world.list(runningTasks([]), world.laneFor('listTasks'));
    const times = { startTime: new Date(at.getTime() + 5_000), endTime: new Date(at.getTime() + 40_000) };
    await world.list(clusters([scan('a', 'success', times)]));
    expect((await by('caller')).items).toMatchObject([
      { key: 'one', results: { succeeded: 1 }, attemptsUntilSuccess: 1 },
      { key: 'parked', results: { succeeded: 1 }, attemptsUntilSuccess: 1 },
    ]);
  });

  it('is by hour and by day, too, of what the sealer has sealed', async () => {
    const now = async (): Promise<Date> => {
      const [row] = await world.prisma.$queryRaw<{ now: Date }[]>`SELECT rescan_now() AS now`;
      return row?.now ?? new Date(0);
    };
    // Half past something: the hour ends neither before nor after it is asked for.
    await world.database.advance(((90 - (await now()).getUTCMinutes()) % 60) * MINUTE);
    const begun = await now();
    await world.aRequest({ clusterIds: ['a'] });
    await world.startAndSettle(answered.badTask);
    await world.database.advance(25 * 60 * MINUTE);
    await world.aRequest({ clusterIds: ['b', 'c'] });
    await world.startAndSettle(answered.badTask);
    await sealEverything(world.prisma, 3);
    const reader = new SummaryReader(world.prisma);
    const since = new Date(begun.getTime() - MINUTE);
    const [first, second] = [begun.toISOString(), (await now()).toISOString()];
    for (const [groupBy, keyOf] of [
      ['hour', (moment: string) => `${moment.slice(0, 13)}:00Z`],
      ['day', (moment: string) => moment.slice(0, 10)],
    ] as const) {
      const { items } = await reader.read({ groupBy, limit: 50, since }, auditor);
      expect(items).toMatchObject([
        { key: keyOf(first), targets: 1, calls: 1, clustersPerCall: 1 },
        { key: keyOf(second), targets: 2, calls: 1, clustersPerCall: 2 },
      ]);
    }
  });

  it('counts a call once, whatever it came to later', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    const call = await world.startAndSettle(answered.lost);
    expect((await by('state')).items).toMatchObject([{ key: 'unknown', calls: 1 }]);
    await world.resolver.byHand(call.id, 'accepted', 'seen', { caller: 'operator', keyId: crypto.randomUUID() });
    expect((await by('state')).items).toMatchObject([{ key: 'accepted', calls: 1 }]);
  });

  it('counts a shared call for each of its callers, and once in all', async () => {
    await world.aRequest({ clusterIds: ['a'], caller: 'one' });
    await world.aRequest({ clusterIds: ['b'], caller: 'other' });
    await world.startAndSettle(answered.accepted);
    expect((await by('caller')).items.map(({ key, calls }) => [key, calls])).toEqual([
      ['one', 1],
      ['other', 1],
    ]);
    expect((await by('project')).items).toMatchObject([{ key: PROJECT, calls: 1, clustersPerCall: 2 }]);
    expect((await by('project', { caller: 'one' })).items).toMatchObject([{ calls: 1 }]);
  });

  it('counts the clusters of a call for a whole task once they are listed', async () => {
    await world.aRequest({ priority: 'urgent' });
    const call = await world.startAndSettle(answered.accepted);
    expect((await by('state')).items).toMatchObject([{ key: 'accepted', calls: 1, clustersPerCall: 0 }]);
    await world.database.advance(20 * MINUTE);
    await world.list(tasks({ failed: 3 }), world.laneFor('listTasks'));
    await world.list(clusters([scan('a'), scan('b'), scan('c')]));
    expect((await by('state')).items).toMatchObject([{ key: 'accepted', calls: 1, clustersPerCall: 3 }]);
    expect((await by('caller')).items).toMatchObject([{ key: 'tester', calls: 1, clustersPerCall: 3 }]);
    await world.prisma.$executeRaw`UPDATE call SET state = 'partly_accepted' WHERE id = ${call.id}::uuid`;
    expect((await by('state')).items).toMatchObject([{ key: 'partly_accepted', calls: 1, clustersPerCall: 3 }]);
    expect((await by('task')).items).toMatchObject([{ calls: 1, clustersPerCall: 3 }]);
  });

  it('pages by its keys', async () => {
    for (const taskId of ['t1', 't2', 't3']) {
      await world.aRequest({ clusterIds: ['a'], taskId });
      await world.startAndSettle(answered.accepted);
    }
    const first = await by('task', { limit: 2 });
    expect(first.items.map(({ key }) => key)).toEqual(['t1', 't2']);
    const second = await by('task', { limit: 2, cursor: first.nextCursor ?? '' });
    expect([second.items.map(({ key }) => key), second.nextCursor]).toEqual([['t3'], null]);
  });

  it('pages by what the upstream calls an error, too', async () => {
    const codes = ['HSS 超时', 'Not Found', 'é'];
    for (const errorCode of codes) {
      await world.aRequest({ clusterIds: ['a'] });
      await world.startAndSettle({ ...answered.badTask, evidence: { ...answered.badTask.evidence, errorCode } });
    }
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await by('errorCode', { limit: 1, ...(cursor !== '' && { cursor }) });
      seen.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
    }
    expect(seen.sort()).toEqual(codes);
    for (const cursor of [
      '',
      encodeCursor(''),
      encodeCursor('a\0'),
      `${encodeCursor('a')}x`,
      encodeCursor('x'.repeat(257)),
    ]) {
      await expect(by('errorCode', { cursor })).rejects.toMatchObject({ code: 'bad_cursor' });
    }
  });

  it('is of your own projects, and of a time that has bounds', async () => {
    await world.aRequest({ clusterIds: ['a'] });
    await world.startAndSettle(answered.accepted);
    const stranger: Principal = { ...auditor, projects: ['project-2'] };
    expect((await by('day', {}, stranger)).items).toEqual([]);
    await expect(by('day', { projectId: PROJECT }, stranger)).rejects.toMatchObject({ code: 'not_found' });
    const [since, until] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-06-01T00:00:00Z')];
    await expect(by('day', { since, until })).rejects.toMatchObject({ code: 'malformed' });
    await expect(by('day', { since: until, until: since })).rejects.toMatchObject({ code: 'malformed' });
    await world.database.advance(48 * 3_600_000);
    expect((await by('day')).items).toEqual([]);
  });
});
