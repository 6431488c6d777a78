/** Where the chain of a project ended at a moment: whoever keeps one elsewhere can tell later whether it was rewritten or cut. */
export interface SealHead {
  /** '' : events of no project. */
  readonly projectId: string;
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
  /** ISO 8601 in UTC, with milliseconds. */
  readonly at: string;
  /** Null, both: it is unsigned. */
  readonly keyId: string | null;
  /** Ed25519, base64. */
  readonly signature: string | null;
}

/** @returns null for what is no head; further fields are left out */
export function parseHead(value: unknown): SealHead | null {
  if (typeof value !== 'object' || value === null) return null;
  const { projectId, seq, hash, at, keyId, signature } = value as Record<string, unknown>;
  const isGood =
    typeof projectId === 'string' &&
    Number.isSafeInteger(seq) &&
    typeof hash === 'string' &&
    typeof at === 'string' &&
    isTextOrNull(keyId) &&
    isTextOrNull(signature);
  return isGood ? { projectId, seq: seq as number, hash, at, keyId, signature } : null;
}

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === 'string';
