import { generateKeyPairSync } from 'node:crypto';
import type { DataFolder } from './data-folder.js';

const FILE = 'audit-key.pem';

/** Where the service finds the key that it signs heads with: the environment's own, or that of the last start, or a new one. */
export async function auditKeyOf(folder: DataFolder, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  if (env['AUDIT_SIGNING_KEY'] || env['AUDIT_SIGNING_KEY_FILE']) return {};
  if ((await folder.read(FILE)) === null) {
    const { privateKey } = generateKeyPairSync('ed25519');
    await folder.write(FILE, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  return { AUDIT_SIGNING_KEY_FILE: folder.file(FILE) };
}
