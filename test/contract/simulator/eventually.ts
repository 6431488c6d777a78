import { setTimeout as pause } from 'node:timers/promises';

/** Waits for a condition; throws when it does not come true within the limit. */
export async function eventually(condition: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not true within ${limitMs} ms: ${condition.toString()}`);
    await pause(5);
  }
}
