import { randomBytes } from 'node:crypto';
import type { DataFolder } from './data-folder.js';

const FILE = 'callback-secret';

/** What callbacks are signed with, as environment variables: what the environment brings, or a secret of the last start, or a new one. */
export async function callbackSecret(folder: DataFolder, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (env['CALLBACK_SECRETS'] || env['CALLBACK_SECRETS_FILE']) return {};
  const isKnown = (await folder.read(FILE))?.trim();
  if (!isKnown) await folder.write(FILE, `whsec_${randomBytes(32).toString('base64')}\n`);
  return { CALLBACK_SECRETS_FILE: folder.file(FILE) };
}
