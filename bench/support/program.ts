import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ended, spawnTied } from '../../src/quickstart/tied-process.js';
import { eventually } from '../../test/support/eventually.js';
import type { Stage } from './stage.js';

/** A compiled program of ours in a process of its own, as in production. */
export interface Program {
  readonly pid: number;
  /** Before the stage is struck, where another is to have the machine for itself. */
  readonly stop: () => Promise<void>;
}

const DIST = join(import.meta.dirname, '../../dist');
const START_LIMIT_MS = 30_000;

/** Runs `dist/<script>` until the stage is struck; its output goes into a file of the stage's folder. */
export async function runProgram(
  { startup, folder }: Stage,
  script: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly ready: () => Promise<boolean> },
): Promise<Program> {
  const path = folder.file(`${script.replaceAll('/', '-')}.log`);
  const log = await open(path, 'w', 0o600);
  const child = await startup.add(
    () => {
      const env = { PATH: process.env['PATH'], ...options.env };
      const nodeArgs = ['--enable-source-maps', ...profiling(script), join(DIST, script), ...args];
      const files = { stdout: log.fd, stderr: log.fd };
      return Promise.resolve(
        spawnTied(process.execPath, nodeArgs, { cwd: folder.path, env, ...files, endSignal: 'TERM' }),
      );
    },
    async (running) => {
      running.kill('SIGTERM');
      await ended(running);
    },
  );
  await log.close();
  const early = ended(child).then(() => Promise.reject(new Error(`${script} ended: see ${path}`)));
  const ready = eventually(() => options.ready().catch(() => false), { limitMs: START_LIMIT_MS });
  await Promise.race([ready, early]);
  early.catch(() => undefined); // From now on its end is wanted.
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended(child);
  };
  return { pid: child.pid ?? 0, stop };
}

/** `BENCH_CPU_PROF=<folder>` writes a profile of each program there when it ends. */
function profiling(script: string): string[] {
  const folder = process.env['BENCH_CPU_PROF'];
  return folder
    ? ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${script.replaceAll('/', '-')}.cpuprofile`]
    : [];
}
