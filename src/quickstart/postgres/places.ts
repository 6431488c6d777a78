import { chmod, lstat, mkdir } from 'node:fs/promises';
import { StartupProblem } from '../startup-problem.js';
import { canEnter, type Account } from './account.js';

/** Both outlive a restart of the machine, unlike `/tmp`. */
const OPEN_TO_OTHERS = ['/var/lib/rescan', '/var/tmp/rescan'];

/** A folder for what the account cannot reach in `preferred`: that one where we run as ourselves, else one outside of closed parents. */
export async function openPlace(account: Account | null, preferred: string): Promise<string> {
  if (account === null || canEnter(account, preferred)) return preferred;
  for (const folder of OPEN_TO_OTHERS) {
    if ((await ours(folder)) && canEnter(account, folder)) return folder;
  }
  throw new StartupProblem(
    `the user that runs Postgres can reach neither ${preferred} nor ${OPEN_TO_OTHERS.join(' nor ')}: set DATA_DIR to a folder outside of ${preferred.split('/', 2).join('/')}`,
  );
}

/** In `/var/tmp` somebody else could have been first, and we would run their programs. */
async function ours(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const found = await lstat(folder);
    if (!found.isDirectory() || found.uid !== process.getuid?.()) return false;
    await chmod(folder, 0o755);
    return true;
  } catch {
    return false; // Read-only or not allowed: the next one may do.
  }
}
