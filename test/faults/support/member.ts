import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { spawnService, type Env, type Exit, type ServiceProcess } from '../../support/service-process.js';
import type { Link } from './link.js';

/** Two seconds on a machine of its own. */
const READY_WITHIN_MS = 90_000;
const HOOKS = new URL('../hooks/index.mjs', import.meta.url).href;

/** `npm run test:faults` builds it first; a short run goes without. */
const BUILT = process.env['FAULT_BUILT'] === '1';

export interface Hooks {
  readonly names: readonly string[];
  readonly env?: Env;
  /** False where it may die before it is ready. */
  readonly ready?: boolean;
}

/** One process of the service that may die at any time, with its own links to Postgres and Redis. */
export class Member {
  #process: ServiceProcess | null = null;
  readonly logs: string[] = [];

  private constructor(
    readonly name: string,
    readonly port: number,
    readonly env: Env,
    readonly toPostgres: Link,
    readonly toRedis: Link,
    private readonly folder: string,
  ) {}

  static async create(name: string, env: Env, links: { postgres: Link; redis: Link }, folder: string): Promise<Member> {
    return new Member(name, await freePort(), env, links.postgres, links.redis, folder);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get process(): ServiceProcess {
    if (!this.#process) throw new Error(`${this.name} is not running`);
    return this.#process;
  }

  /** Without hooks: what runs is as in production. */
  plain = false;
  lastPid = 0;

  get alive(): boolean {
    return this.#process !== null;
  }

  /** @param hooks what `test/faults/hooks` is to do to it */
  async start(hooks: Hooks = { names: [] }): Promise<ServiceProcess> {
    const { names, env = {}, ready = true } = hooks;
    const hooked: Env =
      names.length > 0 ? { NODE_OPTIONS: `--import ${HOOKS}`, FAULT_HOOKS: names.join(','), ...env } : {};
    // A bug is planted in a source.
    const built = BUILT && !names.includes('planted');
    const all = { ...this.env, PORT: String(this.port), ...hooked, ...(built && { RESCAN_BUILT: '1' }) };
    const started = await spawnService(all, this.folder, built);
    this.plain = names.length === 0;
    this.#process = started;
    this.lastPid = started.pid;
    void started.exited.then(() => {
      this.logs.push(started.logText());
      if (this.#process === started) this.#process = null;
    });
    if (ready) await this.#becameReady(started);
    return started;
  }

  async #becameReady(started: ServiceProcess): Promise<void> {
    const isReady = (): Promise<boolean> =>
      fetch(`${this.url}/health/ready`, { headers: { connection: 'close' } }).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually(async () => this.#process !== started || (await isReady()), {
      limitMs: READY_WITHIN_MS,
      everyMs: 50,
    }).catch((error: unknown) => {
      throw new Error(`${this.name} was not ready:\n${started.logText().slice(-3_000)}`, { cause: error });
    });
    if (this.#process !== started) throw new Error(`${this.name} ended early:\n${started.logText().slice(-3_000)}`);
  }

  /** SIGKILL, and nothing is left of it. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    await sleep(0); // Let it be noticed.
  }

  async stop(): Promise<Exit | null> {
    const exit = (await this.#process?.stop()) ?? null;
    await sleep(0);
    return exit;
  }

  /** Waits for its end at a crash point. @returns false where that took too long */
  async died(withinMs: number): Promise<boolean> {
    if (!this.#process) return true;
    const late = new AbortController();
    const gone = await Promise.race([
      this.#process.exited.then(() => true),
      sleep(withinMs, false, { signal: late.signal, ref: false }),
    ]);
    late.abort();
    await sleep(0);
    return gone;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.process.pid, signal);
  }

  allLogs(): string {
    return [...this.logs, this.#process?.logText() ?? ''].join('\n');
  }
}
