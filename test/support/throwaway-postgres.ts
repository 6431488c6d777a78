import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolder } from '../../src/quickstart/data-folder.js';
import { lockHolder } from '../../src/quickstart/folder-lock.js';
import { openEmbeddedPostgres } from '../../src/quickstart/postgres/embedded-postgres.js';
import { homeOf, readSettings } from '../../src/quickstart/postgres/settings.js';
import type { Startup } from '../../src/quickstart/startup.js';

const PREFIX = 'rescan-test-';
/** A folder of a run that is just beginning is not locked yet. */
const SETTLED_AFTER_MS = 60_000;

/** A folder that goes when the startup is stopped. */
export async function openThrowawayFolder(startup: Startup): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), PREFIX));
  await chmod(path, 0o711); // As root, Postgres runs as somebody else and passes through here.
  const folder = DataFolder.locate({ DATA_DIR: path });
  await startup.add(
    () => folder.lock(),
    () => remove(path),
  );
  return folder;
}

/** An empty Postgres that does not care for its data. */
export async function startThrowawayPostgres(startup: Startup, folder: DataFolder): Promise<string> {
  const options = { report: () => undefined, signal: startup.signal, durable: false };
  const postgres = await startup.add(
    () => openEmbeddedPostgres(folder, options),
    (server) => server.close(),
  );
  return postgres.url;
}

/** A run that was killed could not tidy up. Its servers are gone: they were tied to it. */
export async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(tmpdir(), name);
    const found = await stat(path).catch(() => null); // Another run may be removing it at this moment.
    if (found === null || found.uid !== process.getuid?.() || Date.now() - found.mtimeMs < SETTLED_AFTER_MS) continue;
    if ((await lockHolder(path)) === null) await remove(path);
  }
}

async function remove(path: string): Promise<void> {
  const folder = DataFolder.locate({ DATA_DIR: path });
  await rm(homeOf(folder, await readSettings(folder)), { recursive: true, force: true });
  await rm(path, { recursive: true, force: true });
}
