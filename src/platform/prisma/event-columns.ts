import { Prisma } from '../../generated/prisma/client.js';

/** Of `event AS e`: the columns of an `EventRow`, for all who hash or export events. */
export const EVENT_COLUMNS = Prisma.sql`
  e.id, e.at, e.tx::text AS tx, e.kind, e.actor, e.key_id AS "keyId", e.project_id AS "projectId", e.request_id AS "requestId",
  e.call_id AS "callId", e.lane_id AS "laneId", e.schedule_id AS "scheduleId", encode(e.text_hash, 'hex') AS "textHash",
  e.data::text AS data`;
