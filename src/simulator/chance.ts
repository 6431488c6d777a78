/**
 * Chance by hashing, not by drawing: every decision is a function of the seed and of what it is about, so a run
 * repeats even when calls arrive in another order.
 */
type Part = string | number;

/** The end of a part, so that ('ab', 'c') and ('a', 'bc') differ. No character has this code. */
const END_OF_PART = 0x1_0000;

/** Two hashes in one walk; together they are wide enough for ids of millions of clusters. */
function hash64(parts: readonly Part[]): readonly [number, number] {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (const part of parts) {
    const text = typeof part === 'string' ? part : String(part);
    for (let i = 0; i <= text.length; i += 1) {
      const code = i < text.length ? text.charCodeAt(i) : END_OF_PART;
      high = Math.imul(high ^ code, 0x9e3779b1);
      low = Math.imul(low ^ code, 0x5f356495);
    }
  }
  return [mixed(high ^ (low >>> 15)), mixed(low ^ (high >>> 13))];
}

/** murmur3's mixer: a multiplication alone leaves similar texts with similar hashes. */
function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

export function hash32(...parts: readonly Part[]): number {
  return hash64(parts)[0];
}

/** A number in [0, 1), the same for the same parts. */
export function chance(...parts: readonly Part[]): number {
  return hash32(...parts) / 2 ** 32;
}

export function pick<T>(choices: readonly T[], ...parts: readonly Part[]): T | undefined {
  return choices[Math.floor(chance(...parts) * choices.length)];
}

/** One of many independent numbers in [0, 1) that hang on the same hash: hashing ids again for each would be dear. */
export function draw(hash: number, index: number): number {
  return mixed(hash + Math.imul(index + 1, 0x9e3779b1)) / 2 ** 32;
}

/** An id in the form of a UUID. It is unique enough for a simulator, and the same for the same parts. */
export function uuidFrom(...parts: readonly Part[]): string {
  const [high, low] = hash64(parts);
  const digits = hex(high) + hex(low) + hex(mixed(high ^ 0x55555555)) + hex(mixed(low ^ 0x33333333));
  const groups = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
  // Joined, since a string put together with + keeps its pieces, and there are hundreds of thousands of them.
  return [...groups, digits.slice(20)].join('-');
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
