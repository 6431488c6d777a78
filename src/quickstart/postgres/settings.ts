import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../data-folder.js';
import { freePort, portProblem } from '../free-port.js';
import { StartupProblem } from '../startup-problem.js';
import { canEnter, type Account } from './account.js';
import { openPlace } from './places.js';

const FILE = 'postgres.json';

/** What must be remembered with the data. */
export interface Settings {
  readonly port: number;
  readonly password: string;
  /** Where the cluster is when it cannot be inside the data folder; null: it is inside. */
  readonly elsewhere: string | null;
}

export async function readSettings(folder: DataFolder): Promise<Settings | null> {
  const content = await folder.read(FILE);
  if (content === null) return null;
  try {
    return JSON.parse(content) as Settings;
  } catch (error) {
    throw new StartupProblem(`${folder.file(FILE)} is broken: put it back, or delete ${folder.path} to start empty`, {
      cause: error,
    });
  }
}

/** The folder that holds the cluster, reachable for the account. */
export function homeOf(folder: DataFolder, settings: Settings | null): string {
  return settings?.elsewhere ?? folder.file('postgres');
}

/** The settings of the last start, or new ones; the port moves if somebody took it meanwhile. */
export async function prepareSettings(
  folder: DataFolder,
  account: Account | null,
  report: (line: string) => void,
): Promise<Settings> {
  const known = await readSettings(folder);
  const settings = known === null ? await newSettings(folder, account) : await withFreePort(known, report);
  if (settings !== known) await folder.write(FILE, JSON.stringify(settings));
  await requireHome(folder, account, settings);
  if (settings.elsewhere !== null) {
    report(`The database is kept in ${settings.elsewhere}: the user that runs Postgres cannot reach ${folder.path}`);
  }
  return settings;
}

async function newSettings(folder: DataFolder, account: Account | null): Promise<Settings> {
  const place = await openPlace(account, folder.path);
  return {
    port: await freePort(),
    password: randomBytes(24).toString('base64url'),
    elsewhere: place === folder.path ? null : join(place, `data-${randomUUID()}`),
  };
}

async function withFreePort(settings: Settings, report: (line: string) => void): Promise<Settings> {
  if ((await portProblem(settings.port)) === null) return settings;
  const port = await freePort();
  report(`Port ${settings.port} of the database was taken by somebody else; it is ${port} from now on`);
  return { ...settings, port };
}

async function requireHome(folder: DataFolder, account: Account | null, settings: Settings): Promise<void> {
  const home = homeOf(folder, settings);
  await mkdir(home, { recursive: true, mode: account === null ? 0o700 : 0o711 });
  if (account !== null) await chmod(home, 0o711); // Whatever the umask made of it.
  if (canEnter(account, home)) return;
  throw new StartupProblem(
    `the user that runs Postgres cannot reach its data in ${home} any more: give that folder and its parents mode 711, or set DATA_DIR to another folder`,
  );
}
