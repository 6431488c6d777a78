import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Fields of /proc/<pid>/stat after the command, which may itself hold blanks; the start time is the 20th of them. */
const START_TIME = 19;

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Tells a process from a later one with the same number, which is common in containers; null when it does not run. */
export async function birthOf(pid: number): Promise<string | null> {
  if (!isAlive(pid)) return null;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null); // No /proc on macOS.
  if (stat !== null) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME] ?? null;
  return ps(pid, 'lstart=');
}

/** The command line of a process; null when it does not run. */
export async function commandOf(pid: number): Promise<string | null> {
  if (!isAlive(pid)) return null;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return command?.replaceAll('\0', ' ') ?? ps(pid, 'command=');
}

async function ps(pid: number, column: string): Promise<string | null> {
  try {
    const { stdout } = await run('ps', ['-o', column, '-p', String(pid)]);
    return stdout.trim() || null;
  } catch {
    return null; // ps answers with 1 for a process that is gone.
  }
}
