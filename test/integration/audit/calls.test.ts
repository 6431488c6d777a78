import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CallReader } from '../../../src/audit/call-reader.js';
import { CallQueryDto } from '../../../src/audit/call-query.dto.js';
import { CallDto } from '../../../src/audit/call.dto.js';
import { noEvidence, type CallOutcome } from '../../../src/domain/call-outcome.js';
import { connectWithin } from '../../../src/platform/database/connect.js';
import type { Page } from '../../../src/platform/http/page.js';
import type { Principal } from '../../../src/security/principal.js';
import { moveAll } from '../../support/past-requests.js';
import { aCredential, answered, CallingWorld, noLimits, PROJECT } from '../../support/calling-world.js';

const everyone: Principal = { keyId: '', caller: 'auditor', scopes: ['audit:read'], projects: '*' };
const ours: Principal = { ...everyone, projects: [PROJECT] };
const others: Principal = { ...everyone, projects: ['project-2'] };

let world: CallingWorld;
let reader: CallReader;
beforeEach(async () => {
  world = await CallingWorld.open({ credentials: [aCredential({ limits: noLimits })] });
  reader = new CallReader(world.record);
});
afterEach(() => world.close());

const rejectedAs = (upstreamRequestId: string): CallOutcome => ({
  ...answered.badTask,
  evidence: { ...noEvidence, httpStatus: 400, errorCode: 'HSS.0011', errorText: 'not found', upstreamRequestId },
});

async function aCall(
  asked: {
    caller?: string;
    labels?: Record<string, string>;
    taskId?: string;
    clusterIds: string[];
    projectId?: string;
  }[],
  outcome: CallOutcome = answered.accepted,
): Promise<string> {
  for (const one of asked) await world.aRequest({ ...one, callbackUrl: null });
  return (await world.startAndSettle(outcome)).id;
}

async function found(filter: Partial<CallQueryDto>, principal = ours, limit = 50): Promise<string[]> {
  const { items, nextCursor } = await reader.list({ limit, ...filter }, principal);
  if (nextCursor === null) return items.map(({ id }) => id);
  return [...items.map(({ id }) => id), ...(await found({ ...filter, cursor: nextCursor }, principal, limit))];
}

describe('calls', () => {
  it('are found by whoever asked for a part of them, and by the labels of that', async () => {
    const labels = { team: 'red', url: 'https://a:1' };
    const shared = await aCall([
      { caller: 'billing', clusterIds: ['a'], labels },
      { caller: 'search', clusterIds: ['b'], labels: { team: 'blue' } },
    ]);
    const own = await aCall([{ caller: 'billing', clusterIds: ['c'], labels: { team: 'blue' } }]);

    expect(await found({ caller: 'billing' })).toEqual([own, shared]);
    expect(await found({ caller: 'search' })).toEqual([shared]);
    expect(await found({ caller: 'nobody' })).toEqual([]);
    expect(await found({ label: 'team:blue' })).toEqual([own, shared]);
    expect(await found({ label: 'team:red' })).toEqual([shared]);
    expect(await found({ label: 'url:https://a:1' })).toEqual([shared]);
    expect(await found({ label: 'team:redder' })).toEqual([]);
    // Not all of them of one request.
    expect(await found({ label: 'team:blue', caller: 'billing' })).toEqual([own, shared]);
    expect(await found({ label: 'team:red', caller: 'search', state: 'accepted' })).toEqual([shared]);
    expect(await found({ label: 'team:red', state: 'rejected' })).toEqual([]);
  });

  it('of a cluster are found without a look at the past where that has none as young', async () => {
    const calls: string[] = [];
    for (const taskId of ['t-1', 't-2', 't-3', 't-4', 't-5']) {
      calls.unshift(await aCall([{ taskId, clusterIds: ['a'] }], answered.badTask));
      if (taskId === 't-2') await moveAll(world.prisma);
    }
    expect(await world.prisma.pastRequest.count()).toBe(2);
    // Just now: a clock that steps back could have it so.
    expect(await found({ clusterId: 'a' }, ours, 1)).toEqual(calls);
    await world.database.asOwner(`UPDATE past_request SET finished_at = finished_at - interval '1 hour'`);
    expect(await found({ clusterId: 'a' }, ours, 1)).toEqual(calls);
    expect(await found({ clusterId: 'a' }, ours, 2)).toEqual(calls);
    expect(await found({ clusterId: 'a', state: 'rejected' }, ours, 4)).toEqual(calls);
    const owner = await connectWithin(world.database.url, 5_000);
    await owner.query('BEGIN; LOCK TABLE past_target');
    const { items, nextCursor } = await reader.list({ limit: 2, clusterId: 'a' }, ours);
    await owner.end();
    expect([items.map(({ id }) => id), nextCursor !== null]).toEqual([calls.slice(0, 2), true]);
  });

  it('of a cluster are in their order, though an older one is of a request that has not ended', async () => {
    const first = await aCall([{ taskId: 't-1', clusterIds: ['a'] }]);
    const second = await aCall([{ taskId: 't-2', clusterIds: ['a'] }]);
    const past = await aCall([{ taskId: 't-3', clusterIds: ['a'] }], answered.badTask);
    await moveAll(world.prisma);
    expect(await world.prisma.pastRequest.count()).toBe(1);
    expect(await found({ clusterId: 'a' }, ours, 1)).toEqual([past, second, first]);
  });

  it('are found by what was answered', async () => {
    const accepted = await aCall([{ clusterIds: ['a'] }]);
    const rejected = await aCall([{ clusterIds: ['b'], taskId: 'task-2' }], rejectedAs('up-7'));

    expect(await found({ httpStatus: 400 })).toEqual([rejected]);
    expect(await found({ httpStatus: 200 })).toEqual([accepted]);
    expect(await found({ upstreamRequestId: 'up-7' })).toEqual([rejected]);
    expect(await found({ upstreamRequestId: 'up-7', clusterId: 'b', taskId: 'task-2' })).toEqual([rejected]);
    expect(await found({ upstreamRequestId: 'up-7', clusterId: 'a' })).toEqual([]);
    expect(await found({ upstreamRequestId: 'up-7', taskId: 'task-1' })).toEqual([]);
    expect(await found({ errorCode: 'HSS.0011' })).toEqual([rejected]);
    expect(await found({ state: 'accepted' })).toEqual([accepted]);
    expect(await found({ effect: 'none' })).toEqual([rejected, accepted]);
    expect(await found({ effect: 'phantom' })).toEqual([]);
    expect(await found({ taskId: 'task-2' })).toEqual([rejected]);
    expect(await found({ clusterId: 'a' })).toEqual([accepted]);
    expect(await found({ credential: 'main' })).toEqual([rejected, accepted]);
    expect(await found({ credential: 'other' })).toEqual([]);
    const { startedAt } = await reader.find(rejected, ours);
    expect(await found({ since: startedAt })).toEqual([rejected]);
    expect(await found({ until: startedAt, caller: 'tester' })).toEqual([accepted]);
  });

  const everyFilter: readonly Partial<CallQueryDto>[] = [
    {},
    { projectId: PROJECT },
    { taskId: 'task-1' },
    { clusterId: 'a' },
    { state: 'rejected' },
    { effect: 'none' },
    { errorCode: 'HSS.0011' },
    { httpStatus: 400 },
    { upstreamRequestId: 'up-7' },
    { credential: 'main' },
    { caller: 'tester' },
    { label: 'team:red' },
  ];

  it('of other projects are not found, whatever is asked for', async () => {
    const call = await aCall([{ clusterIds: ['a'], labels: { team: 'red' } }], rejectedAs('up-7'));
    for (const filter of everyFilter) {
      expect([filter, await found(filter)]).toEqual([filter, [call]]);
      expect([filter, await found(filter, everyone)]).toEqual([filter, [call]]);
      expect([filter, await found(filter, others)]).toEqual([filter, []]);
      expect([filter, await found({ ...filter, projectId: 'project-2' }, ours)]).toEqual([filter, []]);
    }
  });

  it('show each once, page by page, over several projects while new ones are made', async () => {
    const labels = { team: 'red' };
    const made: string[] = [];
    const projects = ['project-1', 'project-2', 'project-1', 'project-3', 'project-2'];
    for (const [place, projectId] of projects.entries()) {
      made.unshift(await aCall([{ clusterIds: [`c-${place}`], projectId, labels }]));
    }
    let late = 0;
    for (const filter of [{}, { caller: 'tester' }, { state: 'accepted' as const }, { label: 'team:red' }]) {
      const before = await found(filter, everyone);
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null;) {
        const from = cursor === '' ? {} : { cursor };
        const page: Page<CallDto> = await reader.list({ ...filter, limit: 2, ...from }, everyone);
        seen.push(...page.items.map(({ id }) => id));
        cursor = page.nextCursor;
        if (seen.length < 5) await aCall([{ clusterIds: [`late-${(late += 1)}`], projectId: 'project-2', labels }]);
      }
      expect(seen).toEqual(before);
      expect(seen.slice(-5)).toEqual(made);
    }
  });
});
