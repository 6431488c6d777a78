/** The value of a variable, or what it has to be. */
type Parsed<T> = { readonly value: T } | { readonly mustBe: string };
export type Parser<T> = (text: string) => Parsed<T>;

/** One environment variable: how it is read, and what the README and `--help` say of it. */
export interface Variable<T> {
  readonly name: string;
  /** As one would write it; null where there is none. */
  readonly fallback: string | null;
  readonly required: boolean;
  readonly meaning: string;
  readonly parse: Parser<T>;
}

export function variable<T>(name: string, fallback: string, meaning: string, parse: Parser<T>): Variable<T> {
  return { name, fallback, required: false, meaning, parse };
}

export function required<T>(name: string, meaning: string, parse: Parser<T>): Variable<T> {
  return { name, fallback: null, required: true, meaning, parse };
}

export function optional<T>(name: string, meaning: string, parse: Parser<T>): Variable<T | null> {
  return { name, fallback: null, required: false, meaning, parse };
}

export function oneOf<T extends string>(...values: readonly T[]): Parser<T> {
  return (text) => {
    const value = values.find((candidate) => candidate === text);
    return value === undefined ? { mustBe: `one of ${values.join(', ')}` } : { value };
  };
}

export function whole(min: number, max: number): Parser<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? { value } : { mustBe: `a whole number from ${min} to ${max}` };
  };
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Durations such as `250ms`, `1.5s`, `30d`; in milliseconds. The bounds are written the same way. */
export function duration(min: string, max: string): Parser<number> {
  const [minMs, maxMs] = [durationMs(min) ?? NaN, durationMs(max) ?? NaN];
  return (text) => {
    const value = durationMs(text) ?? NaN;
    return value >= minMs && value <= maxMs
      ? { value }
      : { mustBe: `a duration from ${min} to ${max}, such as 250ms, 15s, 30m, 6h or 7d` };
  };
}

function durationMs(text: string): number | null {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return amount && unit ? Math.round(Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]) : null;
}

export function text(pattern: RegExp, rule: string): Parser<string> {
  return (raw) => (pattern.test(raw) ? { value: raw } : { mustBe: rule });
}
