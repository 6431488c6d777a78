import { defaultRetryPolicy } from '../../src/domain/retry-policy.js';

/** A way to choose that the benchmark compares. */
export interface Rule {
  readonly name: string;
  /** How long a call that is not full waits for company while `free` slots of the lane are free. */
  readonly lingerMs: (free: number) => number;
  /** Whose call is opened: in order; full calls before others; the fullest of all. */
  readonly order: 'in order' | 'full first' | 'fullest';
  /** One call for a whole failed set, where exactly that is wanted. */
  readonly wholeTasks: boolean;
}

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
