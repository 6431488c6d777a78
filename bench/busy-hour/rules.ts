import { defaultRetryPolicy } from '../../src/domain/retry-policy.js';
import type { Rule } from './rescan-model.js';

const linger = (): number => defaultRetryPolicy.lingerMs;
const scarce = (free: number): number => [0, 30_000, 15_000, 5_000, 1_000, 250][free] ?? 0;
/** What the service does. */
export const TAKEN: Rule = { name: 'rescan', lingerMs: linger, order: 'in order', wholeTasks: false };
export const OTHERS: readonly Rule[] = [
  { ...TAKEN, name: '… with one call for a whole failed set', wholeTasks: true },
  { ...TAKEN, name: '… lingering up to 30 s as slots get short', lingerMs: scarce },
  { ...TAKEN, name: '… not lingering', lingerMs: () => 0 },
  { ...TAKEN, name: '… full calls first', order: 'full first' },
  { ...TAKEN, name: '… the fullest first', order: 'fullest' },
];
