import { afterAll, expect, it } from '@jest/globals';
import { run, summary, type Fault, type Figures, type RunOptions } from './run.js';
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

/** The run must break no promise. */
export async function runSafely(world: FaultWorld, options: RunOptions): Promise<Figures> {
  const { figures, broken } = await run(world, options);
  expect({ seed: options.seed, broken: summary(broken) }).toEqual({ seed: options.seed, broken: {} });
  return figures;
}

/** One test for each of them. @param first of their seeds: each kind has its own */
export function survives(faults: readonly Fault[], world: () => Promise<FaultWorld>, first: number): void {
  it.each(faults.map((fault, index) => [fault.name, index, fault] as const))('%s', async (_name, index, fault) => {
    await runSafely(await world(), { ...fault, seed: SEED * 1_000 + first + index });
  });
}
