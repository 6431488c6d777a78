import { chown, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupProblem } from '../startup-problem.js';
import { ended, killGroup, spawnTied } from '../tied-process.js';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';
import { exists } from '../private-file.js';

export const SUPERUSER = 'rescan';

/** One data folder of Postgres and what it takes to run it. */
export interface Cluster {
  readonly home: string;
  /** Postgres's own data folder, inside `home`. */
  readonly data: string;
  readonly log: string;
  readonly binaries: Binaries;
  readonly account: Account | null;
  readonly port: number;
  readonly password: string;
  /** False: a power cut may destroy it, as befits a test. */
  readonly durable: boolean;
}

/** Nothing of our own environment: a PGPORT or PGDATA of the user's must not reach the server. */
export function serverEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

/** Makes the cluster unless it is there. It gets its name when it is complete, so an interrupted start leaves no half of one. */
export async function ensureCluster(cluster: Cluster, signal: AbortSignal): Promise<void> {
  if (await exists(join(cluster.data, 'PG_VERSION'))) return;
  const draft = join(cluster.home, 'data.new');
  const passwordFile = join(cluster.home, 'password');
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, `${cluster.password}\n`, { mode: 0o600 });
  if (cluster.account !== null) {
    for (const path of [draft, passwordFile]) await chown(path, cluster.account.uid, cluster.account.gid);
  }
  try {
    await initdb(cluster, draft, passwordFile, signal);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(draft, cluster.data);
}

async function initdb(cluster: Cluster, folder: string, passwordFile: string, signal: AbortSignal): Promise<void> {
  const args = [
    `--pgdata=${folder}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Built in: it sorts alike on every machine, whatever languages that has.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(cluster.durable ? [] : ['--no-sync']),
  ];
  const log = await open(cluster.log, 'w', 0o600);
  try {
    const { cwd, env, account } = { cwd: cluster.home, env: serverEnv(), account: cluster.account };
    const options = { cwd, env, stdout: log.fd, stderr: log.fd, endSignal: 'TERM' as const, ...account };
    const child = spawnTied(cluster.binaries.initdb, args, options);
    // With the children that do its work: they would go on writing into what the next start removes.
    const kill = (): void => killGroup(child);
    signal.addEventListener('abort', kill, { once: true });
    const { code } = await ended(child).finally(() => signal.removeEventListener('abort', kill));
    signal.throwIfAborted();
    if (code !== 0)
      throw new StartupProblem(
        `Postgres could not make its data folder in ${cluster.home}: ${await lastComplaint(cluster.log)}`,
      );
  } finally {
    await log.close();
  }
}

/** The last line in which Postgres said what it did not like. */
export async function lastComplaint(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean);
  const complaint = lines.findLast((line) => /FATAL|PANIC|error/.test(line)) ?? lines.at(-1) ?? 'it said nothing';
  return `${complaint.replace(/^.*?(FATAL|PANIC|error):\s*/, '')} (more in ${log})`;
}
