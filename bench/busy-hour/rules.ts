import { defaultRetryPolicy } from '../../src/domain/retry-policy.js';

/** A way to choose that the benchmark compares. */
export interface Rule {
  readonly name: string;
  /** How long a call that is not full waits for company while `free` slots of the lane are free. */
  readonly lingerMs: (free: number) => number;
  /** Whose call is opened: in order, with full calls first within a lap or without; full calls before all others; the fullest of all. */
  readonly order: 'in order' | 'by age' | 'full first' | 'fullest';
  /** One call for a whole failed set: never, where a listing has found it, or where it is so without any. */
  readonly wholeSets: 'never' | 'listed' | 'known';
}

const linger = (): number => defaultRetryPolicy.lingerMs;
const scarce = (free: number): number => [0, 30_000, 15_000, 5_000, 1_000, 250][free] ?? 0;
/** What the service does. */
export const TAKEN: Rule = { name: 'rescan', lingerMs: linger, order: 'in order', wholeSets: 'listed' };
export const OTHERS: readonly Rule[] = [
  { ...TAKEN, name: '… by age alone within a lap', order: 'by age' },
  { ...TAKEN, name: '… without listings', wholeSets: 'never' },
  { ...TAKEN, name: '… knowing what has failed', wholeSets: 'known' },
  { ...TAKEN, name: '… lingering up to 30 s as slots get short', lingerMs: scarce },
  { ...TAKEN, name: '… not lingering', lingerMs: () => 0 },
  { ...TAKEN, name: '… full calls first', order: 'full first' },
  { ...TAKEN, name: '… the fullest first', order: 'fullest' },
];
