import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { eventuallyHolds } from '../support/eventually.js';
import { retryOf, ServiceRig, type RigTask } from '../support/service-rig.js';
import type { CallView } from '../support/wire-types.js';

interface EventView {
  readonly id: string;
  readonly at: string;
  readonly kind: string;
  readonly actor: string;
  readonly requestId: string | null;
  readonly callId: string | null;
  readonly text: string | null;
}

let rig: ServiceRig;
let team: ApiClient;
let task: RigTask;
let requestId: string;
let call: CallView;

beforeAll(async () => {
  rig = await ServiceRig.open();
  await rig.start();
  team = await rig.client();
  task = { ...rig.task(2), taskId: 'unknown-to-hss' };
  ({ id: requestId } = await team.submit({ ...retryOf(task), labels: { team: 'red' } }));
  await team.until(requestId, ({ state }) => state === 'finished');
  [call] = (await team.calls(requestId)) as [CallView];
});
afterAll(() => rig.close());

describe('an auditor', () => {
  it('reads the story of a request', async () => {
    const story = await team.all<EventView>(`/v1/audit/requests/${requestId}/trace?limit=2`);
    expect(story).toMatchObject([
      { kind: 'request.submitted', actor: 'team-a', requestId },
      { kind: 'call.started', actor: 'rescan', callId: call.id },
      { kind: 'call.rejected', callId: call.id, text: call.errorText },
      { kind: 'targets.ended', requestId, callId: call.id, clusterIds: task.clusterIds, data: { result: 'rejected' } },
      { kind: 'request.ended', requestId, data: { state: 'finished' } },
    ]);
  });

  it('reads the life of a cluster', async () => {
    const { status, body } = await team.get(`/v1/audit/clusters/${task.clusterIds[0]}?projectId=${task.projectId}`);
    expect([status, body.nextCursor]).toEqual([200, null]);
    expect(body.items).toMatchObject([
      {
        taskId: task.taskId,
        asked: { requestId, caller: 'team-a', labels: { team: 'red' } },
        sent: [{ callId: call.id, state: 'rejected', startedAt: call.startedAt, errorCode: call.errorCode }],
        result: 'rejected',
      },
    ]);
  });

  it('finds calls by whom, with which label, and by what was answered', async () => {
    const { credential, httpStatus, upstreamRequestId } = call;
    const filters = { caller: 'team-a', label: 'team:red', credential, httpStatus, upstreamRequestId };
    for (const [field, value] of Object.entries(filters)) {
      const found = await team.all<CallView>(`/v1/calls?${field}=${encodeURIComponent(String(value))}`);
      expect([field, found.map(({ id }) => id)]).toEqual([field, [call.id]]);
    }
  });

  it('finds events, each once while others happen', async () => {
    const before = await team.all<EventView>('/v1/audit/events?limit=200');
    const seen = await team.all<EventView>('/v1/audit/events?limit=2', async () => {
      await team.submit({ ...retryOf(task), labels: { team: 'blue' } });
    });
    expect(seen).toEqual(before);
    await eventuallyHolds(async () => {
      const rejected = await team.all<EventView>(`/v1/audit/events?kind=call.rejected&until=${before[0]?.at}`);
      expect(rejected.map(({ callId }) => callId)).toEqual([call.id]);
    });
  });

  it('needs the scope for it', async () => {
    const reader = await rig.client({ scopes: ['requests:read'] });
    for (const path of ['events', `requests/${requestId}/trace`, `clusters/c?projectId=${task.projectId}`]) {
      const { status, body } = await reader.get(`/v1/audit/${path}`);
      expect([path, status, body.code]).toEqual([path, 403, 'missing_scope']);
    }
  });

  it('is told of a cursor that was changed, or is that of another list', async () => {
    const cursorOf = async (path: string): Promise<string> => (await team.get(path)).body.nextCursor;
    const ofTargets = await cursorOf(`/v1/requests/${requestId}/targets?limit=1`);
    const ofEvents = await cursorOf('/v1/audit/events?limit=1');
    const lists: readonly [string, string][] = [
      ['/v1/audit/events?', ofTargets],
      [`/v1/audit/requests/${requestId}/trace?`, ofTargets],
      ['/v1/calls?caller=team-a&', ofTargets],
      [`/v1/audit/clusters/${task.clusterIds[0]}?projectId=${task.projectId}&`, ofEvents],
      [`/v1/audit/clusters/${task.clusterIds[0]}?projectId=${task.projectId}&`, ofTargets],
    ];
    for (const [list, foreign] of lists) {
      for (const cursor of [foreign, `${ofEvents}x`, ofEvents.slice(1), '', '%27', 'MTo', 'null']) {
        const { status, body } = await team.get(`${list}cursor=${cursor}`);
        expect([list, cursor, status, body.code]).toEqual([list, cursor, 400, 'bad_cursor']);
      }
    }
  });
});
