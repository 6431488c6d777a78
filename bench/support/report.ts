/** One line of the report. A `target` is a bound on `measured`; without one the line only says what was seen. */
export interface Finding {
  readonly what: string;
  readonly ours: string;
  readonly floor: string;
  /** Ours divided by the floor, or whatever the target speaks of. */
  readonly measured: number;
  readonly target: { readonly atMost: number } | { readonly atLeast: number } | null;
}

const HEAD = ['', 'ours', 'floor', 'measured', 'target', ''] as const;

/** The numbers are the report, not an assertion: a MISS is no failure. */
export function table(findings: readonly Finding[]): string {
  const rows = [HEAD, ...findings.map(cells)];
  const widths = HEAD.map((_head, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cells({ what, ours, floor, measured, target }: Finding): readonly string[] {
  const number = measured >= 100 ? measured.toFixed(0) : measured.toFixed(2);
  if (target === null) return [what, ours, floor, number, '', ''];
  const [bound, isGood] =
    'atMost' in target
      ? [`<= ${target.atMost}`, measured <= target.atMost]
      : [`>= ${target.atLeast}`, measured >= target.atLeast];
  return [what, ours, floor, number, bound, isGood ? 'PASS' : 'MISS'];
}

export const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
export const perSecond = (value: number): string => `${value.toFixed(1)}/s`;
export const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MB`;
