import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ApiClient } from '../support/api-client.js';
import { retryOf, ServiceRig } from '../support/service-rig.js';

const MINUTE = 60_000;

let rig: ServiceRig;
let team: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open({
    credentials: [
      { projects: ['project-1'], egress: 'shared' },
      { name: 'neighbour', projects: ['project-2'], egress: 'shared' },
      { name: 'elsewhere', projects: ['project-3'], egress: 'own' },
    ],
  });
  await rig.start();
  team = await rig.client();
});

afterAll(() => rig.close());

describe('a 429', () => {
  it.each([
    ['user', ['main.retryTask']],
    ['ip', ['main.retryTask', 'neighbour.retryTask']],
    ['api', ['elsewhere.retryTask', 'main.retryTask', 'neighbour.retryTask']],
  ] as const)('by %s pauses %j, and nobody else', async (policy, expected) => {
    rig.simulator.controls.addFaults({
      operation: 'RetryTask',
      effect: { kind: 'throttle', policy, windowMs: MINUTE },
    });
    const { id } = await team.submit(retryOf(rig.task(1)));
    await team.until(id, async () => (await team.calls(id))[0]?.state === 'throttled');

    const { items } = (await team.get('/v1/lanes')).body;
    const paused = items.filter((lane: any) => lane.blockedBy === 'pause').map((lane: any) => lane.id);
    expect(paused.sort()).toEqual(expected);
    await rig.advance(2 * MINUTE);
    await team.untilAllAccepted(id);
  });
});
