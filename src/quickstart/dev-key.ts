import { newKey } from '../security/api-keys.js';
import type { DataFolder } from './data-folder.js';

const FILE = 'dev-key';

/** The key of the last start, or the one that the environment brings, or a new one. */
export async function developmentKey(folder: DataFolder, env: NodeJS.ProcessEnv): Promise<string> {
  if (env['DEV_API_KEY']) return env['DEV_API_KEY'];
  const known = (await folder.read(FILE))?.trim();
  if (known) return known;
  const key = newKey();
  await folder.write(FILE, `${key}\n`);
  return key;
}
