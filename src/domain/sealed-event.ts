/** A row of `event`, as it is read (`platform/prisma/event-columns.ts`). */
export interface EventRow {
  readonly id: string;
  readonly at: Date;
  /** Digits. */
  readonly tx: string;
  readonly kind: string;
  readonly actor: string;
  readonly keyId: string | null;
  readonly projectId: string | null;
  readonly requestId: string | null;
  readonly callId: string | null;
  readonly laneId: string | null;
  readonly scheduleId: string | null;
  /** SHA-256 of a text of the upstream, in hex. The text itself stands apart, and may be redacted. */
  readonly textHash: string | null;
  /** JSON text: parsed by one parser, wherever it comes from. */
  readonly data: string;
}

/**
 * Every column of an event, as it is hashed and exported: `at` as ISO 8601 in UTC with milliseconds, nothing that is null. A column
 * that is added one day is null in what is sealed already, and so changes no hash.
 */
export type EventFields = Readonly<Record<string, unknown>> & { readonly id: string; readonly projectId?: string };

/** A line of an export of events: an event, and its place in the chain of its project ('' : events of no project). */
export interface SealedEvent {
  readonly projectId: string;
  /** From 1 on. */
  readonly seq: number;
  readonly eventId: string;
  /** Of this event and the hash before it, in hex. */
  readonly hash: string;
  readonly event: EventFields;
}

export function eventFields({ at, data, ...columns }: EventRow): EventFields {
  const fields = { ...columns, at: at.toISOString(), data: JSON.parse(data) as unknown };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as EventFields;
}

/** Ends with a line break. */
export const toLine = (sealed: SealedEvent): string => `${JSON.stringify(sealed)}\n`;

/** @returns null for a line that is none */
export function parseLine(line: string): SealedEvent | null {
  const value = parseJson(line);
  if (!isObject(value)) return null;
  const { projectId, seq, eventId, hash, event } = value;
  const isGood =
    typeof projectId === 'string' &&
    Number.isSafeInteger(seq) &&
    (seq as number) > 0 &&
    typeof eventId === 'string' &&
    typeof hash === 'string' &&
    isObject(event) &&
    typeof event['id'] === 'string';
  return isGood ? { projectId, seq: seq as number, eventId, hash, event: event as EventFields } : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
