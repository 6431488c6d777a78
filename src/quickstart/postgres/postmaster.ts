import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { readIfThere } from '../private-file.js';
import { birthOf, commandOf } from '../process-identity.js';

/** The lines of `postmaster.pid`, as in PostgreSQL's `pidfile.h`. */
const PID = 0;
const STATUS = 7;
const POLL_MS = 25;

export interface Postmaster {
  readonly pid: number;
  readonly isReady: boolean;
}

/** Who Postgres says is running this data folder; perhaps long gone. */
export async function recordedPostmaster(data: string): Promise<Postmaster | null> {
  const lines = (await readIfThere(join(data, 'postmaster.pid')))?.split('\n') ?? [];
  const pid = Number(lines[PID]);
  return Number.isInteger(pid) && pid > 0 ? { pid, isReady: lines[STATUS]?.trim() === 'ready' } : null;
}

/** Whether that number is still a postmaster of this folder, and not somebody who got the number after a crash. */
export async function isPostmaster(pid: number, data: string): Promise<boolean> {
  const command = await commandOf(pid);
  return command !== null && command.includes('postgres') && command.includes(data);
}

/** The caller holds the folder's lock: whatever still runs here belongs to nobody and is on its way out. */
export async function endOrphan(data: string): Promise<void> {
  const recorded = await recordedPostmaster(data);
  if (recorded === null || !(await isPostmaster(recorded.pid, data))) return;
  await endPostmaster(recorded.pid);
}

/** Asks for a fast shutdown, then for one that needs recovery at the next start, then does not ask. */
export async function endPostmaster(pid: number): Promise<void> {
  const birth = await birthOf(pid);
  for (const [signal, waitMs] of [
    ['SIGINT', 5_000],
    ['SIGQUIT', 2_000],
    ['SIGKILL', 1_000],
  ] as const) {
    if (birth === null || !send(pid, signal)) return;
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if ((await birthOf(pid)) !== birth) return;
      await delay(POLL_MS);
    }
  }
}

/** False when it is gone already. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
