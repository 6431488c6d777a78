import { afterEach, describe, expect, it } from '@jest/globals';
import {
  aCredential,
  answered,
  CallingWorld,
  clusterIds,
  PROJECT,
  unlimited,
  type WorldOptions,
} from '../../support/calling-world.js';
import type { LaneChange } from '../../../src/ledger/lane-control.js';
import { Secret } from '../../../src/config/secret.js';
import { expectInvariants } from '../../support/invariants.js';

let world: CallingWorld;

const open = async (options: WorldOptions = {}): Promise<void> => {
  world = await CallingWorld.open(options);
  for (let task = 0; task < 20; task += 1) {
    await world.aRequest({ taskId: `task-${String(task).padStart(2, '0')}`, clusterIds: clusterIds(2) });
  }
};
const startAll = async (lane = world.lane): Promise<number> => {
  let calls = 0;
  while ((await world.look(lane)).kind === 'started') calls += 1;
  return calls;
};

afterEach(async () => {
  await expectInvariants(world.prisma);
  await world.close();
});

describe('the window of a lane', () => {
  it('takes five calls, and the next one window after the first answer', async () => {
    await open();
    const first = await world.start();
    expect(await startAll()).toBe(4);
    expect(await world.look()).toMatchObject({ kind: 'nothing', nextLookAt: null });
    await world.database.advance(600_000);
    expect((await world.look()).kind).toBe('nothing');
    await world.settle(first, answered.accepted);
    const turn = await world.look();
    if (turn.kind !== 'nothing' || !turn.nextLookAt) throw new Error('a slot was free too early');
    expect(turn.nextLookAt.getTime() - turn.now.getTime()).toBeGreaterThan(59_000);
    await world.database.advance(60_000);
    expect(await startAll()).toBe(1);
  });

  it('holds over any number of processes', async () => {
    await open();
    const turns = await Promise.all(Array.from({ length: 20 }, () => world.look()));
    expect(turns.filter(({ kind }) => kind === 'started')).toHaveLength(5);
  });

  it('gives the slot of a call that never left back at once', async () => {
    await open();
    const first = await world.start();
    expect(await startAll()).toBe(4);
    await world.settle(first, answered.noConnection, false);
    expect(await startAll()).toBe(1);
  });

  it('keeps the slot of a refused call: the upstream counts it', async () => {
    await open();
    const calls = [
      await world.start(),
      await world.start(),
      await world.start(),
      await world.start(),
      await world.start(),
    ];
    for (const call of calls) await world.settle(call, answered.gatewayDown);
    await world.prisma.$executeRaw`UPDATE lane SET breaker_open_until = NULL`;
    expect(await startAll()).toBe(0);
  });
});

describe('a 429', () => {
  const credentials = [
    aCredential({ name: 'one', egress: 'east' }),
    aCredential({ name: 'two', egress: 'east' }),
    aCredential({ name: 'three', egress: 'west' }),
    aCredential({ name: 'four', egress: 'west', hssUrl: 'http://127.0.0.1:2' }),
  ];

  it.each([
    ['user', ['one']],
    ['ip', ['one', 'two']],
    ['api', ['one', 'two', 'three']],
  ] as const)('by %s pauses %j', async (policy, paused) => {
    await open({ credentials });
    await world.startAndSettle({ ...answered.throttled, policy });
    const rows = await world.prisma.lane.findMany({ where: { pausedUntil: { not: null } }, orderBy: { id: 'asc' } });
    expect(rows.map(({ credential }) => credential).sort()).toEqual([...paused].sort());
    expect(await startAll(world.lane)).toBe(0);
    await world.database.advance(66_001);
    expect(await startAll(world.lane)).toBe(4);
  });

  it('lowers the limit, by one for all calls that were out, and each quiet window raises it again', async () => {
    await open();
    const out = [await world.start(), await world.start(), await world.start()];
    for (const call of out) await world.settle(call, answered.throttled);
    const limits: number[] = [];
    for (const afterMs of [66_001, 60_000, 60_000]) {
      await world.database.advance(afterMs);
      limits.push((await world.laneLedger.read(world.prisma, world.lane.id)).situation.calls ?? 0);
    }
    expect(limits).toEqual([4, 5, 5]);
  });

  it('lowers it to what its text says, and sets one where there was none', async () => {
    await open();
    await world.startAndSettle({ ...answered.throttled, limit: 2 });
    await world.database.advance(66_001);
    expect(await startAll()).toBe(2);
    await world.close();
    await open({ credentials: [aCredential({ retryTask: unlimited })] });
    await world.startAndSettle({ ...answered.throttled, limit: 3 });
    await world.database.advance(66_001);
    expect(await startAll()).toBe(3);
  });

  it('is never shortened by a later one', async () => {
    await open();
    const [first, second] = [await world.start(), await world.start()];
    await world.settle(first, { ...answered.throttled, windowMs: 3_600_000 });
    await world.settle(second, answered.throttled);
    await world.database.advance(120_000);
    expect(await world.look()).toMatchObject({ kind: 'nothing', nextLookAt: expect.any(Date) });
  });
});

describe('the breaker', () => {
  it('opens after five failures in a row, lets one probe through and closes with it', async () => {
    await open({ credentials: [aCredential({ retryTask: unlimited })] });
    for (let n = 0; n < 5; n += 1) await world.startAndSettle(answered.gatewayDown);
    expect(await startAll()).toBe(0);
    await world.database.advance(60_001);
    const probe = await world.start();
    expect(await startAll()).toBe(0);
    await world.settle(probe, answered.accepted);
    expect(await startAll()).toBeGreaterThan(1);
  });

  it('opens at once where the endpoint refuses us', async () => {
    await open();
    await world.startAndSettle(answered.forbidden);
    expect(await startAll()).toBe(0);
    expect((await world.prisma.lane.findUniqueOrThrow({ where: { id: world.lane.id } })).lastErrorCode).toBe('blocked');
  });
});

describe('a credential', () => {
  it('sends one call at a time until one is not refused', async () => {
    await open({ credentials: [aCredential({ retryTask: unlimited })] });
    await world.prisma.$executeRaw`UPDATE credential_state SET confirmed = false`;
    const turns = await Promise.all(Array.from({ length: 5 }, () => world.look()));
    const [first] = turns.flatMap((turn) => (turn.kind === 'started' ? [turn.call] : []));
    expect(turns.filter(({ kind }) => kind === 'started')).toHaveLength(1);
    if (!first) throw new Error('unreachable');
    await world.settle(first, answered.badTask);
    expect(await startAll()).toBeGreaterThan(1);
  });

  it('is left alone for five minutes after two refusals in a row', async () => {
    await open({ credentials: [aCredential({ retryTask: unlimited })] });
    await world.startAndSettle(answered.refused);
    await world.startAndSettle(answered.refused);
    expect(await startAll()).toBe(0);
    await world.database.advance(299_000);
    expect(await startAll()).toBe(0);
    await world.database.advance(2_000);
    expect(await startAll()).toBe(1);
  });

  it('is refused once, however many calls were out when its token died', async () => {
    const auth = { kind: 'password', userName: 'svc', domainName: 'acme', password: new Secret('pw') } as const;
    await open({ credentials: [aCredential({ auth, retryTask: unlimited })] });
    const out = [await world.start(), await world.start(), await world.start()];
    for (const call of out) await world.settle(call, answered.refused);
    // One call tries the new token, and all goes on with its answer.
    expect(await startAll()).toBe(1);
  });

  it('that signs is refused by each of them: six wrong signatures lock the key', async () => {
    await open({ credentials: [aCredential({ retryTask: unlimited })] });
    const out = [await world.start(), await world.start()];
    for (const call of out) await world.settle(call, answered.refused);
    expect(await startAll()).toBe(0);
  });

  it('rejects nothing and spends no attempt when it is refused', async () => {
    await open();
    await world.startAndSettle(answered.refused);
    expect(await world.prisma.target.count({ where: { OR: [{ state: 'done' }, { attempts: { gt: 0 } }] } })).toBe(0);
  });
});

describe('an operator', () => {
  const by = { caller: 'operator', keyId: crypto.randomUUID() };
  const change = (told: LaneChange) => world.control.changeLane(world.lane.id, told, by);
  const events = async () => {
    const rows = await world.prisma.event.findMany({
      where: { laneId: world.lane.id, actor: 'operator' },
      orderBy: { id: 'asc' },
    });
    return rows.map(({ kind, actor, data }) => [kind, actor, data]);
  };

  it('lets a lane wait, and no longer than told', async () => {
    await open();
    await change({ paused: true });
    await change({ paused: true });
    expect(await startAll()).toBe(0);
    await change({ paused: false });
    expect(await startAll()).toBe(5);
    expect(await events()).toEqual([
      ['lane.paused', 'operator', {}],
      ['lane.resumed', 'operator', {}],
    ]);
  });

  it('changes its limit, which outlives a start, until it is taken back', async () => {
    await open();
    await change({ limit: 2 });
    await world.syncLanes();
    expect(await startAll()).toBe(2);
    await change({ limit: 4 });
    expect(await startAll()).toBe(2);
    await change({ limit: null });
    expect(await startAll()).toBe(1);
    const limits = [
      { from: null, to: 2 },
      { from: 2, to: 4 },
      { from: 4, to: null },
    ];
    expect(await events()).toEqual(limits.map((limit) => ['lane.limit_changed', 'operator', { limit }]));
  });

  it('weighs callers', async () => {
    await open();
    await change({ weights: { heavy: 2 } });
    await change({ weights: { heavy: 2 } });
    expect(await world.prisma.laneShare.findMany({ select: { caller: true, weight: true } })).toEqual([
      { caller: 'heavy', weight: 2 },
    ]);
    expect(await events()).toEqual([['lane.weights_changed', 'operator', { weights: { heavy: { from: 1, to: 2 } } }]]);
    // What was paid by the old weight is not owed by the new one.
    await world.prisma.laneShare.updateMany({ data: { served: 100, urgentServed: 200 } });
    await change({ weights: { heavy: 1 } });
    expect(await world.prisma.laneShare.findMany({ select: { served: true, urgentServed: true } })).toEqual([
      { served: 1, urgentServed: 2 },
    ]);
  });

  it('keeps a project back, and what was written for it and has not left', async () => {
    await open();
    const written = await world.start();
    expect(await world.control.pauseProject(PROJECT, true, by)).toBe(true);
    expect(await world.control.pauseProject(PROJECT, true, by)).toBe(false);
    expect(await world.calls.mayLeave(written.id)).toBe(false);
    expect(await startAll()).toBe(0);
    expect(await world.control.pauseProject(PROJECT, false, by)).toBe(true);
    expect(await world.calls.mayLeave(written.id)).toBe(true);
    expect(await startAll()).toBe(4);
  });
});
