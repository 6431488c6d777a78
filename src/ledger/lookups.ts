import { Injectable } from '@nestjs/common';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { readable, type ServedProjects } from './choosing.js';

/** A call is looked up by its clusters; one whose clusters are not known, by its scan task. */
export type LookedUp = 'clusters' | 'task';

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
    of: LookedUp,
    now: Date,
    leaseUntil: Date,
  ): Promise<DueLookup | null> {
    const [lookup] = await tx.$queryRaw<DueLookup[]>`
      WITH due AS (
        SELECT id FROM call
         WHERE lookup_due_at <= ${now}::timestamptz AND (cluster_count = 0) = ${of === 'task'}
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

  async nextDueAt(tx: Tx, projects: ServedProjects, of: LookedUp): Promise<Date | null> {
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(lookup_due_at) AS at FROM call
       WHERE lookup_due_at IS NOT NULL AND (cluster_count = 0) = ${of === 'task'} AND project_id IN (${readable(projects)})`;
    return next?.at ?? null;
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
  async projectsDue(tx: Tx): Promise<{ projectId: string; of: LookedUp }[]> {
    return tx.$queryRaw`
      SELECT DISTINCT project_id AS "projectId", CASE WHEN cluster_count = 0 THEN 'task' ELSE 'clusters' END AS of FROM call
       WHERE lookup_due_at <= (SELECT rescan_now())`;
  }
}
