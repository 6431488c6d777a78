export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Null for anything else than a whole JSON object: what it is instead is for the caller to say, and the text itself is the evidence. */
export function parseJsonObject(body: string): JsonObject | null {
  const text = withoutMark(body);
  if (!text.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Without the byte order mark that some servers put first and no JSON parser takes. */
export function withoutMark(body: string): string {
  return body.replace(/^\uFEFF/, '').trim();
}
