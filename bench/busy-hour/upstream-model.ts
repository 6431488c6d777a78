import { Random } from '../../test/support/random.js';
import { CALLS_A_WINDOW, WINDOW_MS, type BusyHour, type WantedTask } from './busy-hour.js';
import type { Events } from './events.js';

export const LATENCY_MS = 1_000;
const TIMEOUT_MS = 30_000;

export type ModelOutcome =
  | { readonly kind: 'accepted' | 'throttled' | 'rejected' }
  /** No answer came. */
  | { readonly kind: 'lost'; readonly taken: boolean };

/** The upstream as a model: a sliding window, storms of 429, lost answers, clusters that spoil a call. */
export class UpstreamModel {
  readonly #random: Random;
  readonly #sentAt: number[] = [];
  calls = 0;
  /** Clusters of accepted calls. */
  accepted = 0;
  sent = 0;
  selfMade429 = 0;

  constructor(
    private readonly hour: BusyHour,
    private readonly events: Events,
  ) {
    this.#random = new Random(hour.seed + 7_777_777);
  }

  send(task: WantedTask, clusters: readonly number[], answered: (outcome: ModelOutcome) => void): void {
    const { now } = this.events;
    this.calls += 1;
    this.sent += clusters.length;
    const outcome = this.#outcome(task, clusters, now);
    if (outcome.kind === 'accepted' || (outcome.kind === 'lost' && outcome.taken)) this.accepted += clusters.length;
    this.events.at(now + (outcome.kind === 'lost' ? TIMEOUT_MS : LATENCY_MS), () => answered(outcome));
  }

  #outcome(task: WantedTask, clusters: readonly number[], now: number): ModelOutcome {
    const since = now - WINDOW_MS;
    while ((this.#sentAt[0] ?? now) <= since) this.#sentAt.shift();
    this.#sentAt.push(now);
    if (this.#sentAt.length > CALLS_A_WINDOW) {
      this.selfMade429 += 1;
      return { kind: 'throttled' };
    }
    if (this.hour.storms.some(({ from, to }) => from <= now && now < to)) return { kind: 'throttled' };
    if (task.poisoned !== null && clusters.includes(task.poisoned)) return { kind: 'rejected' };
    if (this.#random.chance(this.hour.lost)) return { kind: 'lost', taken: this.#random.chance(0.5) };
    return { kind: 'accepted' };
  }
}
