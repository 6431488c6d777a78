import { link, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, writePrivate } from './private-file.js';
import { birthOf } from './process-identity.js';

export interface FolderLock {
  release(): Promise<void>;
}

export interface LockHolder {
  readonly pid: number;
  readonly birth: string | null;
}

/** The living process that holds the folder, or null: a lock that a crash left behind counts for nothing. */
export async function lockHolder(folder: string): Promise<LockHolder | null> {
  const content = await readIfThere(lockPath(folder));
  if (content === null) return null;
  const holder = JSON.parse(content) as LockHolder;
  const birth = await birthOf(holder.pid);
  return birth !== null && birth === holder.birth ? holder : null;
}

/** Takes the folder for this process; the holder when another living one has it. */
export async function lockFolder(folder: string): Promise<FolderLock | LockHolder> {
  const path = lockPath(folder);
  const mine = `${path}.${process.pid}`;
  await writePrivate(mine, JSON.stringify({ pid: process.pid, birth: await birthOf(process.pid) }));
  try {
    for (;;) {
      // A link appears with its whole content, and only once.
      if (await linked(mine, path)) return { release: () => unlink(path) };
      const holder = await lockHolder(folder);
      if (holder !== null) return holder;
      await unlink(path).catch(ignoreMissing);
    }
  } finally {
    await unlink(mine);
  }
}

function lockPath(folder: string): string {
  return join(folder, 'lock');
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
