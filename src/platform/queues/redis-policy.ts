import { Redis } from 'ioredis';

export type EvictionCheck = 'refuse' | 'warn';

/**
 * A Redis that may evict keys under pressure loses bells. The sweep would ring them again, so nothing is lost by it; but BullMQ's own
 * bookkeeping breaks in ways that nobody has tested.
 *
 * @returns what to say where a caller may go on all the same; null where all is well, or Redis is away or does not tell
 * @throws Error where it may not
 */
export async function checkEviction(url: string, check: EvictionCheck): Promise<string | null> {
  const policy = await evictionPolicy(url);
  if (policy === null || policy === 'noeviction') return null;
  const problem = `Redis evicts keys (maxmemory-policy ${policy}): set it to noeviction`;
  if (check === 'refuse') throw new Error(`${problem}, or REDIS_EVICTION=warn to go on all the same`);
  return problem;
}

/** Redis being away must not keep the service from starting, and a managed one may not let itself be asked. */
async function evictionPolicy(url: string): Promise<string | null> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const [, policy = null] = (await redis.config('GET', 'maxmemory-policy')) as [string?, string?];
    return policy;
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}
