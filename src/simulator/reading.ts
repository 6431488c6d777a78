/** What a caller sent is not what was asked for; the message names the field, never its value. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';
}

export type Fields = Readonly<Record<string, unknown>>;
export type Reader<T> = (value: unknown, what: string) => T;

export const fields: Reader<Fields> = (value, what) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInput(`${what} must be an object`);
  }
  return value as Fields;
};

export function text({ min = 1, max = 256 }: { min?: number; max?: number } = {}): Reader<string> {
  return (value, what) => {
    if (typeof value !== 'string' || value.length < min || value.length > max) {
      throw new InvalidInput(`${what} must be a string of ${min} to ${max} characters`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(choices: readonly T[]): Reader<T> {
  return (value, what) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw new InvalidInput(`${what} must be one of ${choices.join(', ')}`);
    return found;
  };
}

export function integer({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: { min?: number; max?: number } = {}): Reader<number> {
  return (value, what) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw new InvalidInput(`${what} must be a whole number from ${min} to ${max}`);
    }
    return value as number;
  };
}

export const fraction: Reader<number> = (value, what) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) throw new InvalidInput(`${what} must be from 0 to 1`);
  return value;
};

export const flag: Reader<boolean> = (value, what) => {
  if (typeof value !== 'boolean') throw new InvalidInput(`${what} must be true or false`);
  return value;
};

export function listOf<T>(
  read: Reader<T>,
  { min = 0, max = 1_000_000 }: { min?: number; max?: number } = {},
): Reader<T[]> {
  return (value, what) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw new InvalidInput(`${what} must be a list of ${min} to ${max}`);
    }
    return value.map((entry, index) => read(entry, `${what}[${index}]`));
  };
}

export function orNull<T>(read: Reader<T>): Reader<T | null> {
  return (value, what) => (value === null ? null : read(value, what));
}

export function required<T>(from: Fields, key: string, read: Reader<T>): T {
  if (from[key] === undefined || from[key] === null) throw new InvalidInput(`${key} is missing`);
  return read(from[key], key);
}

/** A null counts as absent, as it does for the upstream. */
export function optional<T>(from: Fields, key: string, read: Reader<T>): T | undefined {
  return from[key] === undefined || from[key] === null ? undefined : read(from[key], key);
}

/** Our own formats (scenario, admin) refuse what they do not know: a mistyped field would silently do nothing. */
function onlyKnown(from: Fields, known: readonly string[], what: string): void {
  const unknown = Object.keys(from).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new InvalidInput(`${what} does not know ${unknown.join(', ')}`);
}

/**
 * Reads every field that `readers` names and refuses all others; fields that are absent stay absent, so that the
 * result can be spread over defaults.
 */
export function readKnown<T extends object>(
  value: unknown,
  what: string,
  readers: { readonly [K in keyof T]-?: Reader<Exclude<T[K], undefined>> },
): Partial<T> {
  const from = fields(value, what);
  onlyKnown(from, Object.keys(readers), what);
  const result: Record<string, unknown> = {};
  for (const [key, read] of Object.entries<Reader<unknown>>(readers)) {
    if (from[key] !== undefined) result[key] = read(from[key], `${what}.${key}`);
  }
  return result as Partial<T>;
}
