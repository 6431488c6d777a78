import { readdir, readFile } from 'node:fs/promises';
import { POOL_SIZE, type FaultWorld } from './world.js';

interface Looks {
  readonly first: number;
  last: number;
  most: number;
  count: number;
}

/** A process is warm after some runs: compiled, its pools full. What grows after that, and by more than this, leaks. */
const WARM_AFTER = 2;
/** A pool fills and empties with the load: one for each process, and the api's for readers of the record. What it has lost sight of comes on top. */
const POOLED = 4 * POOL_SIZE;
const BOUNDS: Readonly<Record<string, (first: number) => number>> = {
  'memory, MB': (first) => first * 1.3 + 60,
  'open files': (first) => first + 15,
  connections: () => POOLED,
  'keys of the queue': (first) => first + 60,
};

/** What every process and server holds after each run, when nothing is left to do: it must not become more and more. */
export class LeakWatch {
  readonly #runs = new Map<string, number>();
  readonly #looks = new Map<string, Looks>();

  async look(world: FaultWorld): Promise<void> {
    for (const { name, lastPid } of world.members) {
      this.#keep(`memory, MB of ${name} ${lastPid}`, await memoryMb(lastPid));
      this.#keep(`open files of ${name} ${lastPid}`, (await readdir(`/proc/${lastPid}/fd`)).length);
    }
    const [row] = await world.postgres.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'rescan%'`,
    );
    this.#keep('connections', row?.n ?? 0);
    this.#keep('keys of the queue', (await world.redis.copy()).size);
  }

  report(): { readonly lines: string[]; readonly leaks: number } {
    const seen = [...this.#looks].filter(([, { count }]) => count > 2);
    const leaking = seen.filter(([what, looks]) => grows(what, looks));
    const lines = seen.map(([what, { first, last, most, count }]) => {
      const verdict = leaking.some(([name]) => name === what) ? 'LEAKS' : 'ok';
      return `  ${what}: ${first} at first, ${last} at last, ${most} at most, over ${count} runs: ${verdict}`;
    });
    return { lines, leaks: leaking.length };
  }

  #keep(what: string, value: number): void {
    const runs = (this.#runs.get(what) ?? 0) + 1;
    this.#runs.set(what, runs);
    if (runs <= WARM_AFTER) return;
    const looks = this.#looks.get(what);
    if (!looks) {
      this.#looks.set(what, { first: value, last: value, most: value, count: 1 });
      return;
    }
    looks.last = value;
    looks.most = Math.max(looks.most, value);
    looks.count += 1;
  }
}

function grows(what: string, { first, last }: Looks): boolean {
  const [, bound] = Object.entries(BOUNDS).find(([name]) => what.startsWith(name)) ?? [];
  return bound !== undefined && last > bound(first);
}

async function memoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1_024);
}
