import { DomainError } from '../../domain/domain-error.js';
import { ID_LENGTH, isUpstreamId, isUuid } from './ids.js';

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 200;
const MAX_ID = Math.max(...Object.values(ID_LENGTH));

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

/** One more row than the page shows was read: it says whether there is a next page, and is not shown. */
export function toPage<T>(rows: readonly T[], limit: number, keyOf: (row: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}

/** Opaque to callers: a version and the key of the last row shown. */
export const encodeCursor = (key: string): string => Buffer.from(`1:${key}`).toString('base64url');

/** @returns the key of the last row shown, a UUID; null for no cursor */
export const uuidCursor = (cursor: string | undefined): string | null => decodeCursor(cursor, isUuid);

/** @returns the key of the last row shown, a bigint in digits; null for no cursor */
export const bigintCursor = (cursor: string | undefined): string | null =>
  decodeCursor(cursor, (key) => /^[1-9]\d{0,17}$/.test(key));

/** @returns the key of the last row shown, two bigints in digits; null for no cursor */
export const bigintPairCursor = (cursor: string | undefined): readonly [string, string] | null => {
  const key = decodeCursor(cursor, (text) => /^[1-9]\d{0,17} [1-9]\d{0,17}$/.test(text));
  return key === null ? null : (key.split(' ') as [string, string]);
};

/** @returns the place of the last row shown in a list of fixed order; 0 for no cursor */
export const placeCursor = (cursor: string | undefined): number =>
  Number(decodeCursor(cursor, (key) => /^[1-9]\d{0,5}$/.test(key)) ?? 0);

/** @returns the key of the last row shown, upstream ids of so many columns; null for no cursor */
export const textCursor = (cursor: string | undefined, columns: number): readonly string[] | null =>
  decodeCursor(cursor, (key) => isIds(key.split(' '), columns))?.split(' ') ?? null;

/** @returns the key of the last row shown, a text as the upstream may have made it; null for no cursor */
export const wordCursor = (cursor: string | undefined): string | null =>
  decodeCursor(cursor, (key) => /^\P{C}{1,256}$/u.test(key));

const isIds = (ids: readonly string[], columns: number): boolean =>
  ids.length === columns && ids.every((id) => isUpstreamId(id, MAX_ID));

export function decodeCursor(cursor: string | undefined, isKey: (key: string) => boolean): string | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const key = text.slice(2);
  // Encoded again, it must be the same: base64 reads many texts as one.
  if (!text.startsWith('1:') || !isKey(key) || encodeCursor(key) !== cursor) {
    throw new DomainError('bad_cursor', 'Send a cursor that you were given for this, unchanged.');
  }
  return key;
}
