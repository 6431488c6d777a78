/** What a body may hold beyond the rules of JSON. The defaults fit the largest request of the API with room to spare. */
export interface JsonLimits {
  readonly depth: number;
  readonly keysPerObject: number;
  /** Objects, arrays and members together: bounds the memory that a small body can unfold into. */
  readonly values: number;
}

export const API_JSON_LIMITS: JsonLimits = { depth: 8, keysPerObject: 64, values: 250_000 };

/** Keys that reach an object's prototype when a careless copy is made of it. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SMALL_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds what `JSON.parse` lets pass or drops without a word: duplicate keys, keys of prototypes, escaped NUL and lone
 * surrogates, deep nesting. One pass over the bytes, without recursion. It does not check the grammar: of bytes that are
 * not JSON it may say anything, since `JSON.parse` refuses them afterwards.
 *
 * @param bytes valid UTF-8
 * @returns the first fault, as a sentence about "the body", or null
 */
export function findJsonFault(bytes: Uint8Array, limits: JsonLimits): string | null {
  return new JsonScan(bytes, limits).run();
}

class JsonScan {
  #at = 0;
  #values = 0;
  #fault: string | null = null;
  /** Where the scan is: the keys seen so far for an object, null for an array. */
  readonly #open: (Set<string> | null)[] = [];
  #keyComes = false;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly limits: JsonLimits,
  ) {}

  run(): string | null {
    const { bytes } = this;
    while (this.#at < bytes.length && this.#fault === null) {
      switch (bytes[this.#at++] ?? 0) {
        case QUOTE:
          this.#string();
          break;
        case COMMA:
          this.#count();
          this.#keyComes = this.#open.at(-1) instanceof Set;
          break;
        case OPEN_OBJECT:
          this.#push(new Set());
          break;
        case OPEN_ARRAY:
          this.#push(null);
          break;
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          this.#open.pop();
          this.#keyComes = false;
      }
    }
    return this.#fault;
  }

  #push(keys: Set<string> | null): void {
    this.#count();
    this.#open.push(keys);
    this.#keyComes = keys !== null;
    if (this.#open.length > this.limits.depth) {
      this.#fault = `The body is nested more than ${this.limits.depth} levels deep.`;
    }
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > this.limits.values) this.#fault = `The body holds more than ${this.limits.values} values.`;
  }

  #string(): void {
    const { bytes } = this;
    const start = this.#at;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at++];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH && bytes[this.#at++] === SMALL_U) this.#escapedUnit();
    }
    if (this.#keyComes) this.#key(start, this.#at - 1);
    this.#keyComes = false;
  }

  /** After `\u`: text that Postgres cannot store, or that UTF-8 cannot carry. */
  #escapedUnit(): void {
    const unit = this.#hex();
    if (unit === 0) this.#fault = 'The body holds a NUL character.';
    if (unit < 0xd800 || unit > 0xdfff) return;
    const { bytes } = this;
    const pairs = unit < 0xdc00 && bytes[this.#at] === BACKSLASH && bytes[this.#at + 1] === SMALL_U;
    if (pairs) this.#at += 2;
    const low = pairs ? this.#hex() : 0;
    if (low < 0xdc00 || low > 0xdfff) this.#fault = 'The body holds half of a surrogate pair.';
  }

  /** @returns -1 for what is no hexadecimal number; nothing is consumed then. */
  #hex(): number {
    let value = 0;
    for (let index = this.#at; index < this.#at + 4; index += 1) {
      const digit = hexDigit(this.bytes[index] ?? 0);
      if (digit === -1) return -1;
      value = value * 16 + digit;
    }
    this.#at += 4;
    return value;
  }

  #key(start: number, end: number): void {
    const keys = this.#open.at(-1);
    const key = decodeKey(this.bytes.subarray(start, end));
    if (!(keys instanceof Set) || key === null) return;
    if (FORBIDDEN_KEYS.has(key))
      this.#fault = 'The body holds a key that is not allowed: __proto__, constructor or prototype.';
    if (keys.has(key)) this.#fault = 'The body holds an object with the same key twice.';
    keys.add(key);
    if (keys.size > this.limits.keysPerObject) {
      this.#fault = `The body holds an object with more than ${this.limits.keysPerObject} keys.`;
    }
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const utf8 = new TextDecoder();

/** Escapes make two spellings of one key; null for what is no JSON string, which `JSON.parse` refuses later. */
function decodeKey(raw: Uint8Array): string | null {
  const text = utf8.decode(raw);
  if (!raw.includes(BACKSLASH)) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return null;
  }
}
