import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  readonly limitMs?: number;
  readonly everyMs?: number;
}

/** What `condition` comes to as soon as it neither throws nor gives false, null or undefined. After the limit its last error is thrown. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  { limitMs = 15_000, everyMs = 20 }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    let problem: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) return value;
      problem = new Error(`Still ${String(value)} after ${limitMs} ms`);
    } catch (error) {
      problem = error;
    }
    if (performance.now() > deadline) throw problem;
    await delay(everyMs);
  }
}

/** Returns as soon as these expectations hold. */
export async function eventuallyHolds(
  expectations: () => void | Promise<void>,
  options?: EventuallyOptions,
): Promise<void> {
  await eventually(async () => {
    await expectations();
    return true;
  }, options);
}
