/** Collects what is wrong, with its path; a value is never shown, since it may be a secret in the wrong place. */
export class Problems {
  readonly list: string[] = [];

  /** @returns null, for `value ?? problems.add(...)`. */
  add(path: string, problem: string): null {
    this.list.push(path === '' ? problem : `${path}: ${problem}`);
    return null;
  }
}

/** One mapping of a configuration file: reads its fields, and knows which of its keys nobody read. */
export class Mapping {
  readonly #read = new Set<string>();

  private constructor(
    private readonly fields: ReadonlyMap<string, unknown>,
    readonly path: string,
    readonly problems: Problems,
  ) {}

  static of(value: unknown, path: string, problems: Problems): Mapping | null {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return problems.add(path, 'must be a mapping of keys to values');
    }
    return new Mapping(new Map(Object.entries(value)), path, problems);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get(key: string): unknown {
    this.#read.add(key);
    return this.fields.get(key) ?? undefined;
  }

  pathOf(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }

  problem(key: string, problem: string): null {
    return this.problems.add(this.pathOf(key), problem);
  }

  mapping(key: string): Mapping | null {
    return Mapping.of(this.get(key), this.pathOf(key), this.problems);
  }

  /** @param rule what `pattern` asks for, in words. */
  text(key: string, pattern: RegExp, rule: string, fallback: string | null = null): string | null {
    const value = this.get(key) ?? fallback;
    if (value === null) return this.problem(key, `is missing: ${rule}`);
    if (typeof value !== 'string') return this.problem(key, `must be text (in quotes): ${rule}`);
    return pattern.test(value) ? value : this.problem(key, `must be ${rule}`);
  }

  whole(key: string, min: number, max: number, fallback: number): number | null {
    const value = this.get(key) ?? fallback;
    const isGood = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
    return isGood ? value : this.problem(key, `must be a whole number from ${min} to ${max}`);
  }

  /** To be called last: a mistyped key would otherwise be a silent default. */
  refuseRest(hint = ''): void {
    for (const key of this.fields.keys()) {
      if (this.#read.has(key)) continue;
      const known = [...this.#read].join(', ');
      this.problems.add(this.path, `unknown key ${JSON.stringify(key.slice(0, 40))}; known are ${known}${hint}`);
    }
  }
}
