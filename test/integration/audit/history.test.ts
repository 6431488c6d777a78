import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClusterHistoryReader } from '../../../src/audit/cluster-history-reader.js';
import { EventDto } from '../../../src/audit/event.dto.js';
import { EventQueryDto } from '../../../src/audit/event-query.dto.js';
import { EventReader } from '../../../src/audit/event-reader.js';
import type { Page } from '../../../src/platform/http/page.js';
import type { Principal } from '../../../src/security/principal.js';
import { aCredential, answered, CallingWorld, noLimits, PROJECT } from '../../support/calling-world.js';
import { clusters, scan } from '../../support/list-pages.js';

const everyone: Principal = { keyId: '', caller: 'auditor', scopes: ['audit:read'], projects: '*' };
const ours: Principal = { ...everyone, projects: [PROJECT] };
const others: Principal = { ...everyone, projects: ['project-2'] };
const notFound = expect.objectContaining({ code: 'not_found' });

let world: CallingWorld;
let events: EventReader;
let histories: ClusterHistoryReader;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ limits: noLimits })] });
  events = new EventReader(world.record);
  histories = new ClusterHistoryReader(world.record);
});
afterEach(() => world.close());

async function all<T>(
  read: (cursor: { cursor?: string }) => Promise<Page<T>>,
  between?: () => Promise<unknown>,
): Promise<T[]> {
  const seen: T[] = [];
  for (let cursor: { cursor?: string } | null = {}; cursor !== null;) {
    const page: Page<T> = await read(cursor);
    seen.push(...page.items);
    cursor = page.nextCursor === null ? null : { cursor: page.nextCursor };
    if (cursor !== null) await between?.();
  }
  return seen;
}

const trace = (id: string, principal = ours, limit = 200): Promise<EventDto[]> =>
  all((cursor) => events.trace(id, { limit, ...cursor }, principal));
const found = (filter: Partial<EventQueryDto>, principal = ours, limit = 200): Promise<EventDto[]> =>
  all((cursor) => events.list({ limit, ...filter, ...cursor }, principal));
const kinds = (list: readonly EventDto[]): string[] => list.map(({ kind }) => kind);

/** A call of two requests that is lost, is found not to have been carried out, goes out again and is refused. */
async function aStory(): Promise<{ mine: string; others: string; calls: string[] }> {
  const mine = await world.aRequest({ clusterIds: ['a', 'b'], labels: { team: 'red' } });
  const others = await world.aRequest({ clusterIds: ['b', 'c'], caller: 'search' });
  const lost = await world.startAndSettle(answered.lost);
  await world.database.advance(3 * 60_000);
  const untouched = ['a', 'b', 'c'].map((id) => scan(id, 'failed', { endTime: new Date(0) }));
  await world.lookUp(clusters(untouched));
  await world.database.advance(3_600_000);
  const refused = await world.startAndSettle(answered.badTask);
  return { mine, others, calls: [lost.id, refused.id] };
}

describe('the trace of a request', () => {
  it('tells its story in order, with that of its calls, and nothing of what they were for others', async () => {
    const story = await aStory();
    const told = await trace(story.mine);
    expect(kinds(told)).toEqual([
      'request.submitted',
      'call.started',
      'call.unknown',
      'lookup.read',
      'call.not_carried_out',
      'call.started',
      'call.rejected',
      'targets.ended',
      'request.ended',
    ]);
    expect(told.map(({ id }) => id)).toEqual(told.map(({ id }) => id).sort());
    expect(told[0]).toMatchObject({ actor: 'tester', keyId: expect.any(String), data: { source: 'api', targets: 2 } });
    expect(told[6]).toMatchObject({
      actor: 'rescan',
      callId: story.calls[1],
      text: 'not found',
      redacted: false,
      data: { decision: { call: 'rejected' }, errorCode: 'HSS.0011' },
    });
    expect(told[7]).toMatchObject({
      requestId: story.mine,
      clusterIds: ['a', 'b'],
      data: { result: 'rejected', targets: 2 },
    });
    const others = (await trace(story.others)).filter(({ requestId }) => requestId !== null);
    expect(new Set(others.map(({ requestId }) => requestId))).toEqual(new Set([story.others]));
  });

  it('is the same page by page, also where it goes on meanwhile', async () => {
    const { mine } = await aStory();
    const told = await trace(mine);
    expect(await trace(mine, ours, 1)).toEqual(told);
    let notes = 0;
    const growing = await all(
      (cursor) => events.trace(mine, { limit: 4, ...cursor }, ours),
      async () => {
        if ((notes += 1) > 2) return;
        await world.prisma.$executeRaw`
          INSERT INTO event (kind, actor, project_id, request_id, data)
          VALUES ('request.noted', 'tester', ${PROJECT}, ${mine}::uuid, '{}')`;
      },
    );
    // What comes in meanwhile is told last.
    expect(growing.slice(0, told.length)).toEqual(told);
    expect(kinds(growing.slice(told.length))).toEqual(['request.noted', 'request.noted']);
  });

  it('shows that a text was taken out', async () => {
    const { mine } = await aStory();
    await world.prisma.$executeRaw`UPDATE event_text SET text = NULL, redacted_at = rescan_now()`;
    expect(await trace(mine)).toContainEqual(
      expect.objectContaining({ kind: 'call.rejected', text: null, redacted: true }),
    );
  });

  it('is not there for others', async () => {
    const { mine, calls } = await aStory();
    await expect(trace(mine, others)).rejects.toEqual(notFound);
    await expect(trace(calls[0] ?? '')).rejects.toEqual(notFound);
  });
});

describe('events', () => {
  it('are found by each of their parts, newest first, by those who may see them', async () => {
    const story = await aStory();
    const lane = 'main.retryTask';
    await world.prisma.$executeRaw`
      INSERT INTO event (kind, actor, lane_id, schedule_id, data) VALUES ('lane.paused', 'operator', ${lane}, uuidv7(), '{}')`;
    const [paused] = await found({ kind: 'lane.paused' }, everyone);
    const [ended] = await found({ kind: 'targets.ended' });
    const filters: readonly [Partial<EventQueryDto>, string[], (string[] | null)?][] = [
      [{ kind: 'call.started' }, ['call.started', 'call.started']],
      [{ actor: 'search' }, ['request.submitted']],
      [{ requestId: story.others }, ['request.ended', 'targets.ended', 'request.submitted']],
      [{ callId: story.calls[0]! }, ['call.not_carried_out', 'lookup.read', 'call.unknown', 'call.started']],
      [{ laneId: 'main.listTaskResources' }, ['lookup.read']],
      [{ laneId: lane, kind: 'call.rejected' }, ['call.rejected']],
      [{ kind: 'call.started', requestId: story.mine }, []],
      [{ actor: 'rescan', kind: 'lookup.read' }, ['lookup.read']],
      // Of no project: not for those who may not see all.
      [{ laneId: lane, kind: 'lane.paused' }, [], ['lane.paused']],
      [{ actor: 'operator' }, [], ['lane.paused']],
      [{ scheduleId: paused!.scheduleId! }, [], ['lane.paused']],
      [{ since: ended!.at, kind: 'call.started' }, []],
      [{ until: ended!.at, actor: 'search' }, ['request.submitted']],
    ];
    for (const [filter, wanted, ofAll = wanted] of filters) {
      expect([filter, kinds(await found(filter))]).toEqual([filter, wanted]);
      expect([filter, kinds(await found({ ...filter, projectId: PROJECT }, everyone))]).toEqual([filter, wanted]);
      expect([filter, kinds(await found(filter, everyone, 1))]).toEqual([filter, ofAll]);
      expect([filter, await found(filter, others)]).toEqual([filter, []]);
      expect([filter, await found({ ...filter, projectId: PROJECT }, others)]).toEqual([filter, []]);
    }
    const everything = await found({}, everyone);
    expect(kinds(await found({}))).toEqual(kinds(everything).slice(1));
    const paged = await all(
      (cursor) => events.list({ limit: 3, ...cursor }, everyone),
      () => world.aRequest({ clusterIds: ['z'] }),
    );
    expect(paged).toEqual(everything);
  });
});

describe('the history of a cluster', () => {
  const history = (clusterId: string, principal = ours, limit = 50, projectId = PROJECT) =>
    all((cursor) => histories.list(clusterId, { projectId, limit, ...cursor }, principal));

  it('tells of each request who asked, how it was sent and answered, and what its scan said', async () => {
    const { mine, others, calls } = await aStory();
    const again = await world.aRequest({ clusterIds: ['b'], taskId: 'task-2' });
    const { id: accepted } = await world.startAndSettle(answered.accepted);
    const target = await world.prisma.target.findFirstOrThrow({ where: { requestId: again }, select: { id: true } });
    await world.prisma.scanItem.create({
      data: {
        targetId: target.id,
        round: 1,
        callId: accepted,
        scanType: 'benchmark',
        status: 'failed',
        reason: 'agent lost',
      },
    });

    const told = await history('b');
    expect(told).toMatchObject([
      {
        taskId: 'task-2',
        asked: { requestId: again, caller: 'tester' },
        sent: [{ callId: accepted, own: true, state: 'accepted', lane: 'main.retryTask', httpStatus: 200 }],
        scans: [{ round: 1, callId: accepted, scanType: 'benchmark', status: 'failed', reason: 'agent lost' }],
        state: 'accepted',
        result: null,
      },
      { taskId: 'task-1', asked: { requestId: others, caller: 'search' }, result: 'rejected' },
      {
        taskId: 'task-1',
        asked: { requestId: mine, labels: { team: 'red' }, source: 'api', priority: 'normal' },
        timesSent: 2,
        sent: [
          { callId: calls[0], state: 'not_carried_out' },
          { callId: calls[1], state: 'rejected', errorCode: 'HSS.0011', errorText: 'not found' },
        ],
        state: 'done',
        result: 'rejected',
        reason: { code: 'HSS.0011' },
      },
    ]);
    const paged = await all(
      (cursor) => histories.list('b', { projectId: PROJECT, limit: 1, ...cursor }, ours),
      () => world.aRequest({ clusterIds: ['b'], taskId: `late` }),
    );
    expect(paged).toEqual(told);
  });

  it('is not there for others, nor under another project', async () => {
    await aStory();
    await expect(history('b', others)).rejects.toEqual(notFound);
    await expect(history('b', everyone, 50, 'project-2')).rejects.toEqual(notFound);
    await expect(history('never-asked-for')).rejects.toEqual(notFound);
  });
});
