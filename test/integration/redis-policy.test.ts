import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { checkEviction } from '../../src/platform/queues/redis-policy.js';
import { freePort } from '../support/free-port.js';
import { findRedis, startRedis, type RedisServer } from '../support/redis-server.js';

describe('a Redis at start', () => {
  let folder: string;
  let server: RedisServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rescan-policy-'));
    server = await startRedis(findRedis(), folder);
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  it('is fine when it keeps what it was given', async () => {
    expect(await checkEviction(server.url, 'refuse')).toBeNull();
  });

  it('is refused when it may drop bells, or only warned of', async () => {
    const redis = new Redis(server.url);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.quit();
    await expect(checkEviction(server.url, 'refuse')).rejects.toThrow(/allkeys-lru.*noeviction/);
    expect(await checkEviction(server.url, 'warn')).toMatch(/allkeys-lru/);
  });

  it('may be away', async () => {
    expect(await checkEviction(`redis://127.0.0.1:${await freePort()}`, 'refuse')).toBeNull();
  });
});
