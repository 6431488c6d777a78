import type { Bounds } from './bounds.js';
import { WINDOW_MS } from './busy-hour.js';
import type { Measured } from './tally.js';
import { LATENCY_MS } from './upstream-model.js';

/** One hour of one contestant; calls and end as ratios to the bounds, times in seconds. */
export interface Row {
  readonly calls: number;
  readonly end: number;
  readonly p50: number;
  readonly p95: number;
  readonly urgentP95: number;
  readonly clustersACall: number;
  readonly sentAgain: number;
  readonly selfMade429: number;
  readonly fairness: number;
}

export const HEADER = `${'median (worst)'.padEnd(46)}calls/fewest   end/earliest   clusters/call  p50 s  p95 s  urgent p95 s  sent again  own 429  Jain\n`;

export function line(name: string, rows: readonly Row[]): string {
  const median = (of: (row: Row) => number, digits: number): string => medianOf(rows, of).toFixed(digits);
  const worst = (of: (row: Row) => number): string => Math.max(...rows.map(of)).toFixed(2);
  return [
    name.padEnd(46),
    `${median(({ calls }) => calls, 2)} (${worst(({ calls }) => calls)})`.padEnd(15),
    `${median(({ end }) => end, 2)} (${worst(({ end }) => end)})`.padEnd(15),
    median(({ clustersACall }) => clustersACall, 0).padEnd(15),
    median(({ p50 }) => p50, 0).padEnd(7),
    median(({ p95 }) => p95, 0).padEnd(7),
    median(({ urgentP95 }) => urgentP95, 0).padEnd(14),
    median(({ sentAgain }) => sentAgain, 0).padEnd(12),
    median(({ selfMade429 }) => selfMade429, 0).padEnd(9),
    `${median(({ fairness }) => fairness, 2)}\n`,
  ].join('');
}

export function toRow(measured: Measured, bounds: Bounds): Row {
  const { calls, end, normal, urgent, clustersACall, sentAgain, selfMade429, fairness } = measured;
  return {
    calls: calls / bounds.fewestCalls,
    end: end / bounds.earliestEnd,
    p50: quantile(normal, 0.5) / 1_000,
    p95: quantile(normal, 0.95) / 1_000,
    urgentP95: quantile(urgent, 0.95) / 1_000,
    clustersACall,
    sentAgain,
    selfMade429,
    fairness,
  };
}

/** @param sorted at least one */
const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.floor((sorted.length - 1) * part)] ?? 0;

export const medianOf = (rows: readonly Row[], of: (row: Row) => number): number =>
  quantile(
    rows.map(of).sort((a, b) => a - b),
    0.5,
  );

/** What is to be reached where nothing fails. */
export function verdicts(load: number, rows: readonly Row[]): string {
  const targets: readonly [what: string, of: (row: Row) => number, most: number][] =
    load > 1
      ? [
          ['calls / fewest', ({ calls }) => calls, 1.15],
          ['end / earliest', ({ end }) => end, 1.15],
        ]
      : [
          ['p50, s', ({ p50 }) => p50, 5],
          ['p95, s', ({ p95 }) => p95, WINDOW_MS / 1_000],
        ];
  const urgent = ['urgent p95, s', ({ urgentP95 }: Row) => urgentP95, (WINDOW_MS + LATENCY_MS) / 1_000] as const;
  const own = ['own 429', ({ selfMade429 }: Row) => selfMade429, 0] as const;
  return [...targets, urgent, own]
    .map(([what, of, most]) => {
      const is = medianOf(rows, of);
      return `${is <= most ? 'PASS' : 'MISS'} ${what}: ${is.toFixed(2)} (at most ${most})\n`;
    })
    .join('');
}
