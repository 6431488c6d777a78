import { SUBMITTING_MS, type BusyHour, type WantedRequest } from './busy-hour.js';
import type { UpstreamModel } from './upstream-model.js';

/** What came of an hour. Times in milliseconds; those of requests from their submission until their last cluster is accepted or given up. */
export interface Measured {
  readonly calls: number;
  readonly clustersACall: number;
  /** Clusters sent beyond those accepted first: after a rejection, a 429 or a lost answer, or for nothing. */
  readonly sentAgain: number;
  readonly selfMade429: number;
  /** When the last request was through. */
  readonly end: number;
  readonly normal: readonly number[];
  readonly urgent: readonly number[];
  /** Jain's index over callers of what was accepted within the hour, as a part of what they wanted. */
  readonly fairness: number;
}

/** How far the requests are. */
export class Tally {
  readonly #left: Int32Array;
  readonly #overAt: Float64Array;
  readonly #inTime: Int32Array;

  constructor(private readonly hour: BusyHour) {
    const { requests } = hour;
    this.#left = Int32Array.from(requests, ({ from, to }) => to - from);
    this.#overAt = new Float64Array(requests.length).fill(Number.NaN);
    this.#inTime = new Int32Array(requests.length);
  }

  /** So many of a request's clusters more are accepted, or have come to another end. */
  over({ id }: WantedRequest, clusters: number, at: number): void {
    if (clusters === 0) return;
    const left = (this.#left[id] ?? 0) - clusters;
    this.#left[id] = left;
    if (at <= SUBMITTING_MS) this.#inTime[id] = (this.#inTime[id] ?? 0) + clusters;
    if (left < 0) throw new Error(`request ${id} had more than it wanted`);
    if (left === 0) this.#overAt[id] = at;
  }

  measured(upstream: UpstreamModel): Measured {
    const { requests } = this.hour;
    const waits = requests.map(({ id, at, priority }) => ({ priority, ms: (this.#overAt[id] ?? Number.NaN) - at }));
    if (waits.some(({ ms }) => Number.isNaN(ms))) throw new Error('a request was forgotten');
    const of = (urgent: boolean): number[] =>
      waits.flatMap(({ priority, ms }) => ((priority === 0) === urgent ? [ms] : [])).sort((a, b) => a - b);
    return {
      calls: upstream.calls,
      clustersACall: upstream.accepted / upstream.calls,
      sentAgain: upstream.sent - upstream.accepted,
      selfMade429: upstream.selfMade429,
      end: Math.max(...this.#overAt),
      normal: of(false),
      urgent: of(true),
      fairness: this.#fairness(),
    };
  }

  #fairness(): number {
    const callers = new Map<string, { wanted: number; got: number }>();
    for (const { id, caller, from, to } of this.hour.requests) {
      const sums = callers.get(caller) ?? { wanted: 0, got: 0 };
      sums.wanted += to - from;
      sums.got += this.#inTime[id] ?? 0;
      callers.set(caller, sums);
    }
    const parts = [...callers.values()].map(({ wanted, got }) => got / wanted);
    const sum = parts.reduce((total, part) => total + part, 0);
    return sum ** 2 / (parts.length * parts.reduce((total, part) => total + part ** 2, 0));
  }
}
