import type { Decision } from '../domain/decide.js';

/** What was decided on a call, and which requests ended by it. */
export interface Settled {
  readonly decision: Decision;
  readonly finishedRequests: readonly string[];
}
