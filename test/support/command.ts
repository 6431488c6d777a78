import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from './eventually.js';

const root = join(import.meta.dirname, '../..');
const loader = join(import.meta.dirname, 'typescript.mjs');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A TypeScript main, run from source in a process group of its own, as a shell would. */
export class Command {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #finished: Promise<Finished>;

  constructor(main: string, env: Record<string, string>, args: readonly string[] = []) {
    const { PATH, HOME, TMPDIR } = process.env;
    this.#child = spawn(process.execPath, ['--import', loader, join(root, main), ...args], {
      cwd: root,
      detached: true,
      env: { PATH, HOME, TMPDIR, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#finished = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** The first match in what it has printed, as soon as there is one. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const ended = this.#finished.then(({ stdout, stderr }) => {
      if (!pattern.test(stdout)) throw new Error(`It ended without printing ${pattern}: ${stdout}${stderr}`);
    });
    return Promise.race([
      eventually(() => pattern.exec(this.stdout), { limitMs: 60_000 }),
      ended.then(() => pattern.exec(this.stdout) as RegExpExecArray),
    ]);
  }

  /** To the whole group, as Ctrl-C does. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }

  finished(): Promise<Finished> {
    return this.#finished;
  }
}
