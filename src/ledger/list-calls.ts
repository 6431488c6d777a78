import { Injectable } from '@nestjs/common';
import type { Evidence } from '../domain/call-outcome.js';
import type { ListPurpose } from '../domain/list-purpose.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** A call of a list as it is born. */
export interface NewListCall {
  readonly id: string;
  readonly laneId: string;
  readonly credential: string;
  readonly purpose: ListPurpose;
  /** Null: a list of a project's scan tasks. */
  readonly scanTaskId: bigint | null;
  readonly projectId: string;
  /** The unknown call that it looks up. */
  readonly callId: string | null;
  readonly offset: number;
  readonly startedAt: Date;
  readonly leaseUntil: Date;
  readonly worker: string;
}

export type ListCallEnd = 'read' | 'throttled' | 'unavailable' | 'blocked' | 'rejected' | 'not_sent' | 'unknown';

/** Calls of lists: each takes a slot of its lane like any call. */
@Injectable()
export class ListCallLedger {
  async insert(tx: Tx, list: NewListCall): Promise<void> {
    await tx.$executeRaw`
      INSERT INTO list_call (id, lane_id, credential, purpose, scan_task_id, project_id, call_id, "offset", started_at, lease_until,
                             slot_free_at, worker)
      VALUES (${list.id}::uuid, ${list.laneId}, ${list.credential}, ${list.purpose}::list_purpose, ${list.scanTaskId},
              ${list.projectId}, ${list.callId}::uuid, ${list.offset}::int, ${list.startedAt}::timestamptz,
              ${list.leaseUntil}::timestamptz, 'infinity', ${list.worker})`;
  }

  /** What the lane's calls were for that have a slot of it now. */
  async recentPurposes(tx: Tx, laneId: string, now: Date): Promise<Set<ListPurpose>> {
    const rows = await tx.$queryRaw<{ purpose: ListPurpose }[]>`
      SELECT DISTINCT purpose::text AS purpose FROM list_call
       WHERE lane_id = ${laneId} AND slot_free_at > ${now}::timestamptz`;
    return new Set(rows.map(({ purpose }) => purpose));
  }

  /** Ends a list call once; false when somebody else has. */
  async end(
    tx: Tx,
    id: string,
    end: {
      state: ListCallEnd;
      evidence: Evidence;
      now: Date;
      slotFreeAt: Date;
      rowsRead: number | null;
      durationMs: number | null;
    },
  ): Promise<boolean> {
    const { evidence } = end;
    const ended = await tx.$executeRaw`
      UPDATE list_call
         SET state = ${end.state}::list_call_state, finished_at = ${end.now}::timestamptz,
             slot_free_at = ${end.slotFreeAt}::timestamptz, rows_read = ${end.rowsRead}::int,
             http_status = ${evidence.httpStatus}::smallint, error_code = ${evidence.errorCode},
             error_text = ${evidence.errorText}, upstream_request_id = ${evidence.upstreamRequestId},
             duration_ms = ${end.durationMs}::int
       WHERE id = ${id}::uuid AND state = 'sending'`;
    return ended === 1;
  }

  /** Those that are being sent by nobody any more: only their slot is left of them. */
  async endExpired(tx: Tx): Promise<number> {
    return tx.$executeRaw`
      UPDATE list_call
         SET state = 'unknown', finished_at = (SELECT rescan_now()),
             slot_free_at = (SELECT rescan_now()) + lane.window_ms * interval '1 ms'
        FROM lane
       WHERE lane.id = list_call.lane_id AND list_call.state = 'sending'
         AND list_call.lease_until <= (SELECT rescan_now())`;
  }
}
