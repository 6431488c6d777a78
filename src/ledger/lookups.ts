import { Injectable } from '@nestjs/common';
import type { Evidence } from '../domain/call-outcome.js';
import type { RequestRange } from '../domain/request.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { readable, type ServedProjects } from './choosing.js';

/** An unknown call whose lookup is due, and how far it has come. */
export interface DueLookup {
  readonly callId: string;
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly taskId: string;
  readonly enterpriseProjectId: string;
  readonly offset: number;
  readonly seen: readonly bigint[];
}

export interface NewListCall {
  readonly id: string;
  readonly laneId: string;
  readonly credential: string;
  readonly lookup: DueLookup;
  readonly startedAt: Date;
  readonly leaseUntil: Date;
  readonly worker: string;
}

export type ListCallEnd = 'read' | 'throttled' | 'unavailable' | 'blocked' | 'rejected' | 'not_sent' | 'unknown';

/** What a lookup knows after another page. */
export interface LookupProgress {
  readonly offset: number;
  readonly seen: readonly bigint[];
  readonly taken: readonly bigint[];
}

@Injectable()
export class LookupLedger {
  /** The call that has waited longest for its lookup; nobody else gets it before this one's list call could have ended. */
  async takeDue(
    tx: Tx,
    projects: ServedProjects,
    range: RequestRange,
    now: Date,
    leaseUntil: Date,
  ): Promise<DueLookup | null> {
    const [lookup] = await tx.$queryRaw<DueLookup[]>`
      WITH due AS (
        SELECT id FROM call
         WHERE lookup_due_at <= ${now}::timestamptz AND range_type = ${range}::request_range
           AND project_id IN (${readable(projects)})
         ORDER BY lookup_due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      UPDATE call SET lookup_due_at = ${leaseUntil}::timestamptz
        FROM due, scan_task AS s
       WHERE call.id = due.id AND s.id = call.scan_task_id
      RETURNING call.id AS "callId", s.id AS "scanTaskId", s.project_id AS "projectId", s.task_id AS "taskId",
                s.enterprise_project_id AS "enterpriseProjectId", call.lookup_offset AS "offset",
                call.lookup_seen AS seen`;
    return lookup ?? null;
  }

  async nextDueAt(tx: Tx, projects: ServedProjects, range: RequestRange): Promise<Date | null> {
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(lookup_due_at) AS at FROM call
       WHERE lookup_due_at IS NOT NULL AND range_type = ${range}::request_range AND project_id IN (${readable(projects)})`;
    return next?.at ?? null;
  }

  async insertListCall(tx: Tx, list: NewListCall): Promise<void> {
    const { lookup } = list;
    await tx.$executeRaw`
      INSERT INTO list_call (id, lane_id, credential, scan_task_id, project_id, call_id, "offset", started_at, lease_until,
                             slot_free_at, worker)
      VALUES (${list.id}::uuid, ${list.laneId}, ${list.credential}, ${lookup.scanTaskId}, ${lookup.projectId},
              ${lookup.callId}::uuid, ${lookup.offset}::int, ${list.startedAt}::timestamptz, ${list.leaseUntil}::timestamptz,
              'infinity', ${list.worker})`;
  }

  /** Ends a list call once; false when somebody else has. */
  async endListCall(
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

  /** Each page takes a slot of its own. */
  async keepProgress(tx: Tx, callId: string, progress: LookupProgress, nextDueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE call
         SET lookup_offset = ${progress.offset}::int, lookup_seen = ${[...progress.seen]}::bigint[],
             lookup_taken = ${[...progress.taken]}::bigint[], lookup_due_at = ${nextDueAt}::timestamptz
       WHERE id = ${callId}::uuid AND state = 'unknown'`;
  }

  /** Looks again later. */
  async postpone(tx: Tx, callId: string, dueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE call SET lookup_due_at = ${dueAt}::timestamptz WHERE id = ${callId}::uuid AND state = 'unknown'`;
  }

  /** How often a lookup has failed in a row. */
  async failedTries(tx: Tx, callId: string): Promise<number> {
    const [row] = await tx.$queryRaw<{ n: number }[]>`
      SELECT count(*)::int AS n FROM list_call
       WHERE call_id = ${callId}::uuid AND state NOT IN ('sending', 'read')
         AND id > coalesce((SELECT max(id::text)::uuid FROM list_call WHERE call_id = ${callId}::uuid AND state = 'read'),
                           '00000000-0000-0000-0000-000000000000'::uuid)`;
    return Math.max(1, row?.n ?? 1);
  }

  /** The projects with a lookup that is due, by kind: whose list lanes want a bell. */
  async projectsDue(tx: Tx): Promise<{ projectId: string; range: RequestRange }[]> {
    return tx.$queryRaw`
      SELECT DISTINCT project_id AS "projectId", range_type::text AS range FROM call
       WHERE lookup_due_at <= (SELECT rescan_now())`;
  }

  /** List calls that are being sent by nobody any more: only their slot is left of them. */
  async endExpiredListCalls(tx: Tx): Promise<number> {
    return tx.$executeRaw`
      UPDATE list_call
         SET state = 'unknown', finished_at = (SELECT rescan_now()),
             slot_free_at = (SELECT rescan_now()) + lane.window_ms * interval '1 ms'
        FROM lane
       WHERE lane.id = list_call.lane_id AND list_call.state = 'sending'
         AND list_call.lease_until <= (SELECT rescan_now())`;
  }
}
