const MAX_LABELS = 20;
const MAX_KEY = 63;
const MAX_VALUE = 255;

/** Control characters, halves of surrogate pairs, line and paragraph separators, and what turns the direction of text around. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;

/** @returns the first rule that the value breaks, or null. */
export function findLabelsFault(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object of texts';
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS) return `must not have more than ${MAX_LABELS} labels`;
  for (const [key, text] of entries) {
    if (key === '__proto__' || key === '' || !isPrintable(key, MAX_KEY)) {
      return `must have keys of 1 to ${MAX_KEY} printable characters`;
    }
    if (typeof text !== 'string' || !isPrintable(text, MAX_VALUE)) {
      return `must have values that are texts of at most ${MAX_VALUE} printable characters`;
    }
  }
  return null;
}

/** Characters are code points, as Postgres counts them; a code point has at most two units. */
function isPrintable(text: string, maxCharacters: number): boolean {
  return text.length <= 2 * maxCharacters && [...text].length <= maxCharacters && !UNPRINTABLE.test(text);
}
