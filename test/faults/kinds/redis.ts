import { setTimeout as sleep } from 'node:timers/promises';
import { nextCallMs } from '../support/recovery.js';
import type { Fault } from '../support/run.js';

export const REDIS_FAULTS: readonly Fault[] = [
  {
    name: 'Redis emptied while idle',
    during: async ({ world, world: { redis }, load, recoveryMs }) => {
      await load.pause(2_000);
      await redis.flush();
      load.resume();
      recoveryMs['FLUSHALL to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Redis emptied while busy',
    during: async ({ world, world: { redis }, recoveryMs }) => {
      await sleep(2_000);
      await redis.flush();
      recoveryMs['FLUSHALL to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Redis emptied every 2 s',
    during: async ({ world, world: { redis }, recoveryMs }) => {
      for (let times = 0; times < 4; times += 1) {
        await sleep(2_000);
        await redis.flush();
        recoveryMs['FLUSHALL to next call, at most'] = Math.max(
          recoveryMs['FLUSHALL to next call, at most'] ?? 0,
          await nextCallMs(world),
        );
      }
    },
  },
  {
    name: 'Redis stopped for 8 s',
    during: async ({ world, world: { redis }, recoveryMs }) => {
      await sleep(1_000);
      redis.signal('SIGSTOP');
      recoveryMs['stopped to next call'] = await nextCallMs(world);
      await sleep(8_000);
      redis.signal('SIGCONT');
      await sleep(1_000);
    },
  },
  {
    name: 'Redis restarted empty',
    during: async ({ world, world: { redis }, recoveryMs }) => {
      await sleep(1_000);
      await redis.restartEmpty();
      recoveryMs['restarted to next call'] = await nextCallMs(world);
      await sleep(1_000);
    },
  },
  {
    name: 'Redis an old copy restored',
    during: async ({ world: { redis } }) => {
      await sleep(700);
      const copies = await redis.copy();
      await sleep(2_500);
      await redis.restore(copies);
      await sleep(1_500);
    },
  },
  {
    name: 'Redis out of memory',
    during: async ({ world, world: { redis }, recoveryMs }) => {
      await sleep(500);
      await redis.setConfig('maxmemory', '1');
      recoveryMs['out of memory to next call'] = await nextCallMs(world);
      await sleep(3_000);
      await redis.setConfig('maxmemory', '0');
    },
  },
  {
    name: 'Redis away at start',
    during: async ({ world, world: { redis, members }, recoveryMs }) => {
      await redis.down();
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all(members.map((member) => member.start()));
      recoveryMs['started to next call'] = await nextCallMs(world);
      await sleep(2_000);
      await redis.up();
      await sleep(1_000);
    },
  },
];
