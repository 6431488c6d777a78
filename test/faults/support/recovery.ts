import { eventually } from '../../support/eventually.js';
import type { FaultWorld } from './world.js';

/** From now until the upstream sees the next RetryTask call. */
export async function nextCallMs(world: FaultWorld | (() => Promise<FaultWorld>)): Promise<number> {
  const { simulator } = typeof world === 'function' ? await world() : world;
  const from = Date.now();
  const next = await eventually(
    () => simulator.controls.ledger({ operation: 'RetryTask' }).find(({ at }) => at > from),
    { limitMs: 20_000 },
  );
  return next.at - from;
}
