export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  if (high === undefined) throw new Error('no values, no median');
  return sorted.length % 2 === 0 && low !== undefined ? (low + high) / 2 : high;
}

/** The smallest value that so many of them, from 0 to 1, are not above. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
  if (value === undefined) throw new Error('no values, no quantile');
  return value;
}

/** What `work` took, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

/**
 * All of them in turns, round by round, so that whatever else this machine does falls on each alike. The first rounds are
 * thrown away: they compile, plan and fill caches.
 */
export async function inTurns<Name extends string>(
  rounds: { readonly warmUp: number; readonly counted: number },
  measures: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, readonly number[]>> {
  const names = Object.keys(measures) as Name[];
  const seen = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds.warmUp + rounds.counted; round += 1) {
    for (const name of names) {
      const measured = await measures[name]();
      if (round >= rounds.warmUp) seen[name].push(measured);
    }
  }
  return seen;
}
