import { mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lockFolder, type FolderLock } from './folder-lock.js';
import { exists, readIfThere, writePrivate } from './private-file.js';
import { StartupProblem } from './startup-problem.js';

const DEFAULT_FOLDER = '.rescan';

/** Where the quickstart keeps what must outlive it: the database, the ports, the secrets. */
export class DataFolder {
  private constructor(readonly path: string) {}

  static locate(env: NodeJS.ProcessEnv): DataFolder {
    return new DataFolder(resolve(env['DATA_DIR'] || DEFAULT_FOLDER));
  }

  /** Makes the folder and takes it for this process. */
  async lock(): Promise<FolderLock> {
    const taken = await this.#writing(async () => {
      // As root, Postgres runs as another user, who passes through here to its own folder. The files inside are 0600.
      await makeFolder(this.path, process.getuid?.() === 0 ? 0o711 : 0o700);
      return lockFolder(this.path);
    });
    if ('release' in taken) return taken;
    throw new StartupProblem(
      `another rescan is running on ${this.path} (process ${taken.pid}): stop it first, or set DATA_DIR to another folder`,
    );
  }

  file(name: string): string {
    return join(this.path, name);
  }

  read(name: string): Promise<string | null> {
    return this.#writing(() => readIfThere(this.file(name)));
  }

  write(name: string, content: string): Promise<void> {
    return this.#writing(() => writePrivate(this.file(name), content));
  }

  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      throw new StartupProblem(
        `the data folder ${this.path} cannot be used (${code}): make it writable for this user, or set DATA_DIR to another folder`,
        { cause: error },
      );
    }
  }
}

/** Not `mkdir`'s own `recursive`: where a parent is there and says ENOENT all the same, as /proc does, it never returns. */
async function makeFolder(path: string, mode: number): Promise<void> {
  const outcome = await mkdir(path, { mode }).then(
    () => null,
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  if (outcome === null || (outcome.code === 'EEXIST' && (await stat(path)).isDirectory())) return;
  if (outcome.code !== 'ENOENT' || (await exists(dirname(path)))) throw outcome;
  await makeFolder(dirname(path), mode);
  await mkdir(path, { mode });
}
