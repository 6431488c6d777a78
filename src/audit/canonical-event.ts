import { Prisma } from '../generated/prisma/client.js';

/** An event as it is exported, and as its seal covers it. */
export interface CanonicalEvent {
  readonly id: string;
  readonly at: Date;
  readonly kind: string;
  readonly actor: string;
  readonly keyId: string | null;
  readonly projectId: string | null;
  readonly requestId: string | null;
  readonly callId: string | null;
  readonly laneId: string | null;
  readonly scheduleId: string | null;
  /** SHA-256 in hex. */
  readonly textHash: string | null;
  readonly data: Prisma.JsonValue;
}

/** Of `event AS e`. */
export const EVENT_COLUMNS = Prisma.sql`
  e.id, e.at, e.kind, e.actor, e.key_id AS "keyId", e.project_id AS "projectId", e.request_id AS "requestId", e.call_id AS "callId",
  e.lane_id AS "laneId", e.schedule_id AS "scheduleId", encode(e.text_hash, 'hex') AS "textHash", e.data`;

export const toCanonicalEvent = (row: CanonicalEvent): CanonicalEvent => ({
  id: row.id,
  at: row.at,
  kind: row.kind,
  actor: row.actor,
  keyId: row.keyId,
  projectId: row.projectId,
  requestId: row.requestId,
  callId: row.callId,
  laneId: row.laneId,
  scheduleId: row.scheduleId,
  textHash: row.textHash,
  data: row.data,
});
