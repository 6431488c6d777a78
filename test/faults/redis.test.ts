import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnService } from '../support/service-process.js';
import { nextCallMs } from './support/recovery.js';
import { runSafely, type RunContext } from './support/run.js';
import { aWorld, SEED } from './support/suite.js';

const world = aWorld();

const FAULTS: readonly (readonly [string, (context: RunContext) => Promise<void>])[] = [
  [
    'emptied while idle',
    async ({ world: { redis }, load, recoveryMs }) => {
      await load.pause(2_000);
      await redis.flush();
      load.resume();
      recoveryMs['FLUSHALL to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  [
    'emptied while busy',
    async ({ world: { redis }, recoveryMs }) => {
      await sleep(2_000);
      await redis.flush();
      recoveryMs['FLUSHALL to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  [
    'emptied every 2 s',
    async ({ world: { redis }, recoveryMs }) => {
      for (let times = 0; times < 4; times += 1) {
        await sleep(2_000);
        await redis.flush();
        recoveryMs['FLUSHALL to next call, at most'] = Math.max(
          recoveryMs['FLUSHALL to next call, at most'] ?? 0,
          await nextCallMs(world),
        );
      }
    },
  ],
  [
    'stopped for 8 s',
    async ({ world: { redis }, recoveryMs }) => {
      await sleep(1_000);
      redis.signal('SIGSTOP');
      recoveryMs['stopped to next call'] = await nextCallMs(world);
      await sleep(8_000);
      redis.signal('SIGCONT');
      await sleep(1_000);
    },
  ],
  [
    'restarted empty',
    async ({ world: { redis }, recoveryMs }) => {
      await sleep(1_000);
      await redis.restartEmpty();
      recoveryMs['restarted to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  ],
  [
    'an old copy restored',
    async ({ world: { redis } }) => {
      await sleep(700);
      const copies = await redis.copy();
      await sleep(2_500);
      await redis.restore(copies);
      await sleep(1_500);
    },
  ],
  [
    'out of memory',
    async ({ world: { redis }, recoveryMs }) => {
      await sleep(500);
      await redis.setConfig('maxmemory', '1');
      recoveryMs['out of memory to next call'] = await nextCallMs(world);
      await sleep(3_000);
      await redis.setConfig('maxmemory', '0');
    },
  ],
  [
    'away at start',
    async ({ world: { redis, members }, recoveryMs }) => {
      await redis.down();
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all(members.map((member) => member.start()));
      recoveryMs['started to next call'] = await nextCallMs(world);
      await sleep(2_000);
      await redis.up();
      await sleep(1_000);
    },
  ],
];

describe('Redis', () => {
  it.each(FAULTS.map(([name, during], index) => [name, index, during] as const))('%s', async (name, index, during) => {
    await runSafely(await world(), { name: `Redis ${name}`, seed: SEED * 1_000 + 100 + index, during });
  });

  it('is refused at start where it may evict jobs', async () => {
    const { redis, api, folder } = await world();
    await redis.setConfig('maxmemory-policy', 'allkeys-lru');
    try {
      const service = await spawnService({ ...api.env, PORT: '0' }, folder);
      const { code } = await service.exited;
      expect(code).toBe(1);
      expect(service.logText()).toContain('set it to noeviction');
    } finally {
      await redis.setConfig('maxmemory-policy', 'noeviction');
    }
  });

  it.each(['api', 'worker-1'] as const)('is away, and a stop of %s ends all the same', async (name) => {
    const { redis, members } = await world();
    const member = members.find((one) => one.name === name);
    await redis.down();
    try {
      await sleep(1_000);
      void member?.stop();
      expect(await member?.died(15_000)).toBe(true);
    } finally {
      await member?.kill();
      await redis.up();
      await member?.start();
    }
  });
});
