import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';

export interface TiedOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** File descriptors. */
  readonly stdout: number;
  readonly stderr: number;
  /** Sent when this process is gone. */
  readonly endSignal: 'INT' | 'TERM';
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * A watcher reads a pipe that only our process holds open: its end means that we died, however we died, `kill -9` included.
 * It forks twice so that the program never has a child it does not know of, and `exec` gives the program the shell's own pid.
 */
const TIE = '(( read -r _ <&3 || kill -s "$0" $$ ) >/dev/null 2>&1 &); exec "$@" 3<&-';

/**
 * Starts a server in a session of its own, so that Ctrl-C in the terminal reaches us alone and we stop things in order,
 * and ties its life to ours, so that it never outlives a crash.
 */
export function spawnTied(command: string, args: readonly string[], options: TiedOptions): ChildProcess {
  const child = spawn('/bin/sh', ['-c', TIE, options.endSignal, command, ...args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', options.stdout, options.stderr, 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
  });
  const tie = child.stdio[3] as Duplex;
  tie.on('error', () => undefined); // The watcher may be gone before it reads its dismissal.
  // A line dismisses the watcher: by then the number may belong to another process.
  child.once('exit', () => tie.end('\n'));
  return child;
}

/** How a process ended; resolves at once where it already has, and rejects where it could not be started. */
export function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', reject);
  });
}

/** The process and all its children, at once. */
export function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    process.kill(-child.pid, 'SIGKILL');
}
