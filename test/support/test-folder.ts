import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';

/** In the folder of the run, which goes with it, also where the run is killed. */
export function createTestFolder(name: string): Promise<string> {
  const parent = process.env['RESCAN_TEST_FOLDER'];
  if (!parent)
    throw new Error('RESCAN_TEST_FOLDER is not set: the project needs the global setup, see jest.config.mjs');
  return mkdtemp(join(parent, `${name}-`));
}
