import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnService } from '../support/service-process.js';
import { REDIS_FAULTS } from './kinds/redis.js';
import { aWorld, survives } from './support/suite.js';

const world = aWorld();

describe('Redis', () => {
  survives(REDIS_FAULTS, world, 100);

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
