import { Redis } from 'ioredis';
import { freePort } from '../../support/free-port.js';
import { findRedis, startRedis, type RedisServer } from '../../support/redis-server.js';

/** A Redis of the suite's own, on one port whatever happens to it. */
export class FaultRedis {
  #server: RedisServer | null = null;
  #client: Redis | null = null;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  static async start(folder: string): Promise<FaultRedis> {
    const redis = new FaultRedis(await freePort(), folder);
    await redis.up();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Empty, as after a crash without a disk. */
  async up(): Promise<void> {
    this.#server ??= await startRedis(findRedis(), this.folder, { port: this.port });
  }

  async down(): Promise<void> {
    this.#client?.disconnect();
    this.#client = null;
    const server = this.#server;
    this.#server = null;
    await server?.stop();
  }

  async restartEmpty(): Promise<void> {
    await this.down();
    await this.up();
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#server) process.kill(this.#server.pid, signal);
  }

  get client(): Redis {
    if (!this.#client) {
      this.#client = new Redis(this.url, { maxRetriesPerRequest: 3 });
      this.#client.on('error', () => undefined);
    }
    return this.#client;
  }

  async flush(): Promise<void> {
    await this.client.flushall();
  }

  /** Everything it holds, as it would be restored from an old copy. */
  async copy(): Promise<Map<string, Buffer>> {
    const copies = new Map<string, Buffer>();
    for (const key of await this.client.keys('*')) {
      const dump = (await this.client.dumpBuffer(key)) as Buffer | null;
      // A job may have ended since its key was listed.
      if (dump) copies.set(key, dump);
    }
    return copies;
  }

  async restore(copies: ReadonlyMap<string, Buffer>): Promise<void> {
    await this.flush();
    for (const [key, dump] of copies) await this.client.restore(key, 0, dump, 'REPLACE');
  }

  async setConfig(name: string, value: string): Promise<void> {
    await this.client.config('SET', name, value);
  }
}
