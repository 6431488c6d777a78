import type { ChildProcess } from 'node:child_process';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../process-identity.js';
import { StartupProblem } from '../startup-problem.js';
import { ended, spawnTied } from '../tied-process.js';
import { lastComplaint, serverEnv, type Cluster } from './cluster.js';
import { endOrphan, endPostmaster, isPostmaster, recordedPostmaster } from './postmaster.js';

const POLL_MS = 25;
const START_LIMIT_MS = 120_000;
/** After a crash its children hold the shared memory for a moment, and a new server refuses to start on it. */
const CHILDREN_LIMIT_MS = 15_000;
const CHILDREN_REMAIN = /shared memory block/;

/** Starts Postgres on the cluster and waits until it takes connections. An abort stops it again. */
export async function startServer(cluster: Cluster, signal: AbortSignal): Promise<ChildProcess> {
  await endOrphan(cluster.data);
  const deadline = performance.now() + CHILDREN_LIMIT_MS;
  for (;;) {
    const child = await spawnServer(cluster);
    if (await becameReady(child, cluster, signal)) return child;
    const complaint = await lastComplaint(cluster.log);
    if (!CHILDREN_REMAIN.test(complaint) || performance.now() > deadline) {
      throw new StartupProblem(`the embedded Postgres did not start: ${complaint}`);
    }
    await delay(10 * POLL_MS, undefined, { signal });
  }
}

export async function stopServer(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = ended(child);
  await endPostmaster(child.pid);
  await exit;
}

async function spawnServer(cluster: Cluster): Promise<ChildProcess> {
  // Each start begins a new log: nobody would ever cut an old one.
  const log = await open(cluster.log, 'w', 0o600);
  try {
    return spawnTied(cluster.binaries.postgres, serverArgs(cluster), {
      cwd: cluster.home,
      env: { ...serverEnv(), ...(await strangerAsGrandparent(cluster.data)) },
      stdout: log.fd,
      stderr: log.fd,
      endSignal: 'INT',
      ...cluster.account,
    });
  } finally {
    await log.close();
  }
}

function serverArgs(cluster: Cluster): string[] {
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(cluster.port),
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(cluster.durable
      ? {}
      : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' }),
  };
  return ['-D', cluster.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * A crash leaves `postmaster.pid`; if its number now belongs to another process of the same user, usual in a container, Postgres takes
 * that for a running server. It makes an exception for its grandparent, whom pg_ctl names in this variable. Deleting the file instead
 * would also switch off the check that no child of the old server is left.
 */
async function strangerAsGrandparent(data: string): Promise<NodeJS.ProcessEnv> {
  const recorded = await recordedPostmaster(data);
  if (recorded === null || !isAlive(recorded.pid) || (await isPostmaster(recorded.pid, data))) return {};
  return { PG_GRANDPARENT_PID: String(recorded.pid) };
}

/** False when it ended before it was ready. */
async function becameReady(child: ChildProcess, cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  let isGone = false as boolean; // or the compiler takes it for false below: it does not see the callback
  const exit = ended(child).finally(() => (isGone = true));
  const deadline = performance.now() + START_LIMIT_MS;
  try {
    while (performance.now() < deadline) {
      const postmaster = await recordedPostmaster(cluster.data);
      if (postmaster?.pid === child.pid && postmaster?.isReady) return true;
      await Promise.race([exit, delay(POLL_MS, undefined, { signal })]);
      if (isGone) return false;
    }
    throw new StartupProblem(
      `the embedded Postgres was not ready after ${START_LIMIT_MS / 1000} s: see ${cluster.log}`,
    );
  } catch (error) {
    await stopServer(child);
    throw error;
  }
}
