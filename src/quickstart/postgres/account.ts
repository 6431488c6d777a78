import { execFile, spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StartupProblem } from '../startup-problem.js';

const run = promisify(execFile);
/** Those that exist anywhere are enough: adding a user to somebody's machine is not for a quickstart to do. */
const CANDIDATES = ['postgres', '_postgres', 'nobody'];

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Who runs Postgres when we are root, since it refuses to run as root; null: we are not, and it runs as ourselves. */
export async function serverAccount(cluster: string): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const owner = await stat(cluster).catch(() => null); // Not there yet: the first start.
  if (owner !== null && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of CANDIDATES) {
    const account = await lookUp(name);
    if (account !== null) return account;
  }
  throw new StartupProblem(
    `Postgres does not run as root, and there is none of the users ${CANDIDATES.join(', ')} to run it as: add one, start as another user, or set DATABASE_URL`,
  );
}

const MAX_TRIES = 3;

/** Asking the system itself sees modes, access lists and mounts alike. */
export function canEnter(account: Account | null, folder: string): boolean {
  return succeedsAs(account, '/bin/sh', ['-c', 'cd "$0"', folder]);
}

export function succeedsAs(account: Account | null, command: string, args: readonly string[]): boolean {
  // Ctrl-C in a terminal reaches this child too, and one that was killed has said nothing: it is asked again.
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const { status, signal } = spawnSync(command, args, { cwd: '/', stdio: 'ignore', ...account });
    if (signal === null) return status === 0;
  }
  throw new StartupProblem(`${command} was killed ${MAX_TRIES} times: try again`);
}

async function lookUp(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => (await run('id', [flag, name])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return null; // id fails for a user that does not exist.
  }
}
