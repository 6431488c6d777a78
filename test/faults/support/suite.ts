import { afterAll } from '@jest/globals';
import { FaultWorld, type WorldOptions } from './world.js';

/** `FAULT_SEED` repeats a run that failed. */
export const SEED = Number(process.env['FAULT_SEED'] ?? 1);

/** One world for all runs of a file, and a new one after a run that broke something. */
export function aWorld(options: WorldOptions = {}): () => Promise<FaultWorld> {
  let current: FaultWorld | null = null;
  afterAll(() => current?.close());
  return async () => {
    if (current?.spoilt) {
      await current.close();
      current = null;
    }
    current ??= await FaultWorld.open(options);
    return current;
  };
}
