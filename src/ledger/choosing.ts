import { Injectable } from '@nestjs/common';
import { MAX_CLUSTERS_PER_CALL } from '../domain/call.js';
import type { Head, Queue, Share } from '../domain/choose.js';
import { LARGE_ABOVE } from '../domain/listing.js';
import { priorityRank } from '../domain/priority.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** The projects that a lane serves; "*" is every project that anybody ever asked for. */
export type ServedProjects = readonly string[] | '*';

/** The scan task that a call is for, locked: nobody else fills a call for it or lets its clusters go until the transaction ends. */
export interface ChosenTask {
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly taskId: string;
  readonly enterpriseProjectId: string;
  /** For whom the call is opened: its targets come first. */
  readonly requestId: string;
  /** What its first target asks for; only a hint, read before the lock was held. */
  readonly opening: Opening;
  /** More than one call takes, or the whole task: a listing of what has failed may save calls. */
  readonly isLarge: boolean;
  /** What is known of the task by a listing that is not too old: which clusters have failed, or nothing. */
  readonly listed: 'exact' | 'complete' | 'no';
}

export type Opening =
  | { readonly kind: 'whole_task' }
  | { readonly kind: 'clusters' }
  /** One part of a rejected call: it goes alone. */
  | { readonly kind: 'part'; readonly parent: string; readonly part: number };

interface TaskRow {
  project_id: string;
  task_id: string;
  enterprise_project_id: string;
  whole_task: boolean | null;
  split_parent: string | null;
  split_half: number | null;
  is_large: boolean;
  listed: ChosenTask['listed'];
}

/** The work of a lane as it stands, for `inOrder` to choose from. */
export interface LaneQueue extends Queue {
  /** When the next waiting work that is not due yet will be; null where none will be by itself. */
  readonly nextDueAt: Date | null;
}

/** So many of the nearest deadlines of a caller are looked at for one that is due: of the others, age decides. */
const DEADLINES = 100;

interface HeadRow {
  requestId: string;
  scanTaskId: string;
  caller: string;
  priority: number;
  dueAt: string;
  deadline: string | null;
  goesAlone: boolean | null;
  weight: number | null;
  served: number | null;
  urgentServed: number | null;
}

@Injectable()
export class ChoosingLedger {
  /**
   * What waits first of each caller, project and priority, and what has the nearest deadline there: an index probe for each, and no
   * list of requests or scan tasks, however many wait.
   */
  async queue(
    tx: Tx,
    lane: { readonly id: string; readonly virtualTime: number },
    projects: ServedProjects,
    now: Date,
  ): Promise<LaneQueue> {
    const [row] = await tx.$queryRaw<{ heads: HeadRow[] | null; nextDueAt: Date | null }[]>`
      WITH RECURSIVE first AS (${firstOfGroups(projects, Prisma.sql`AND expires_at > ${now}::timestamptz AND ${isFree(Prisma.sql`${now}::timestamptz`)}`)}),
      head AS (
        SELECT ${HEAD} FROM first WHERE next_due_at <= ${now}::timestamptz
         UNION
        SELECT nearest.* FROM first CROSS JOIN LATERAL (
               SELECT ${HEAD} FROM (
                      SELECT ${HEAD}, expires_at FROM request
                       WHERE project_id = first.project_id AND caller = first.caller AND priority = first.priority
                         AND waiting > 0 AND deadline IS NOT NULL AND ${isFree(Prisma.sql`${now}::timestamptz`)}
                       ORDER BY deadline, id LIMIT ${DEADLINES}::int) AS request
                WHERE next_due_at <= ${now}::timestamptz AND expires_at > ${now}::timestamptz
                ORDER BY deadline, id LIMIT 1) AS nearest
         WHERE first.next_due_at <= ${now}::timestamptz)
      SELECT json_agg(json_build_object(
               'requestId', head.id, 'scanTaskId', head.scan_task_id::text, 'caller', head.caller, 'priority', priority,
               'dueAt', next_due_at, 'deadline', deadline, 'goesAlone', alone,
               'weight', weight, 'served', served, 'urgentServed', urgent_served)) AS heads,
             least((SELECT min(next_due_at) FROM first
                     WHERE next_due_at > ${now}::timestamptz AND next_due_at < 'infinity'),
                   (SELECT min(hold_until) FROM listing
                     WHERE hold_until > ${now}::timestamptz AND project_id IN (${served(projects)}))) AS "nextDueAt"
        FROM head
        LEFT JOIN LATERAL (
             SELECT cluster_id IS NULL OR split_parent IS NOT NULL AS alone FROM target
              WHERE request_id = head.id AND state = 'waiting' AND due_at <= ${now}::timestamptz
              ORDER BY due_at LIMIT 1) AS opening ON true
        LEFT JOIN lane_share ON lane_share.lane_id = ${lane.id} AND lane_share.caller = head.caller`;
    const rows = row?.heads ?? [];
    const shares = new Map(
      rows.flatMap((head) => (head.weight === null ? [] : [[head.caller, toShare(head)] as const])),
    );
    return { heads: rows.map(toHead), shares, virtualTime: lane.virtualTime, now, nextDueAt: row?.nextDueAt ?? null };
  }

  /** Those of these scan tasks with a full call's targets due: several of one cluster count each, so that it may turn out less full. */
  async fullTasks(tx: Tx, scanTaskIds: readonly bigint[], now: Date): Promise<Set<bigint>> {
    const rows = await tx.$queryRaw<{ id: bigint }[]>`
      SELECT task.id FROM unnest(${[...scanTaskIds]}::bigint[]) AS task (id)
       WHERE (SELECT count(*) FROM generate_series(0, 2) AS rank
               CROSS JOIN LATERAL (
                     SELECT 1 FROM target
                      WHERE scan_task_id = task.id AND priority = rank::smallint AND state = 'waiting'
                        AND due_at <= ${now}::timestamptz AND split_parent IS NULL
                      LIMIT ${MAX_CLUSTERS_PER_CALL}) AS due) >= ${MAX_CLUSTERS_PER_CALL}`;
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Locks a scan task under all its enterprise projects, since they are views of the same clusters; null where somebody has it.
   * Two starters of one task always share a row: what one of them sees is a part of what the other sees.
   */
  async lockTask(
    tx: Tx,
    { scanTaskId, requestId }: Head,
    now: Date,
    listings: { readonly keepMs: number; readonly credential: string },
  ): Promise<ChosenTask | null> {
    const oldest = new Date(now.getTime() - listings.keepMs);
    const [row] = await tx.$queryRaw<TaskRow[]>`
      WITH same AS (
        SELECT other.id FROM scan_task AS own JOIN scan_task AS other USING (project_id, task_id)
         WHERE own.id = ${scanTaskId}),
      locked AS (
        SELECT id FROM scan_task WHERE id IN (SELECT id FROM same) ORDER BY id FOR UPDATE SKIP LOCKED)
      SELECT task.project_id, task.task_id, task.enterprise_project_id, opening.*, ${IS_LARGE} AS is_large,
             CASE WHEN listing.completed_at IS NULL OR listing.step <> 'complete' OR listing.completed_at < ${oldest}::timestamptz THEN 'no'
                  WHEN listing.exact AND listing.credential = ${listings.credential} THEN 'exact' ELSE 'complete' END AS listed
        FROM scan_task AS task
        JOIN request ON request.id = ${requestId}::uuid
        LEFT JOIN listing ON listing.scan_task_id = task.id
        LEFT JOIN LATERAL (
             SELECT cluster_id IS NULL AS whole_task, split_parent, split_half FROM target
              WHERE request_id = ${requestId}::uuid AND state = 'waiting' AND due_at <= ${now}::timestamptz
              ORDER BY due_at LIMIT 1) AS opening ON true
       WHERE task.id = ${scanTaskId} AND (SELECT count(*) FROM locked) = (SELECT count(*) FROM same)`;
    return row ? toChosenTask(scanTaskId, requestId, row) : null;
  }

  /** Waits for the same locks as `lockTask`: for those who let clusters of the task go. */
  async awaitTask(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$queryRaw`
      SELECT 1 FROM scan_task AS s
       WHERE (project_id, task_id) = (SELECT project_id, task_id FROM scan_task WHERE id = ${scanTaskId})
       ORDER BY id FOR UPDATE`;
  }

  /** The projects among these with work that is due: whose lanes want a bell. */
  async projectsDue(tx: Tx, projects: ServedProjects): Promise<string[]> {
    const rows = await tx.$queryRaw<{ id: string }[]>`
      WITH RECURSIVE first AS (${firstOfGroups(projects)})
      SELECT DISTINCT project_id AS id FROM first WHERE next_due_at <= (SELECT rescan_now())`;
    return rows.map(({ id }) => id);
  }
}

/** The projects that may be read for, paused or not: reading is not sending. */
export function readable(projects: ServedProjects): Prisma.Sql {
  return projects === '*' ? Prisma.sql`SELECT id FROM project` : Prisma.sql`SELECT unnest(${[...projects]}::text[])`;
}

/** The projects that work may leave for, as a subquery. */
export function served(projects: ServedProjects): Prisma.Sql {
  return projects === '*'
    ? Prisma.sql`SELECT id FROM project WHERE paused_at IS NULL`
    : Prisma.sql`SELECT id FROM project WHERE id = ANY(${[...projects]}::text[]) AND paused_at IS NULL`;
}

const IS_LARGE = Prisma.sql`(request.waiting > ${LARGE_ABOVE} OR NOT request.resolved)`;

/** Not one that waits for a listing; urgent ones never do, nor those whose deadline would come before its end. */
export const isFree = (now: Prisma.Sql): Prisma.Sql => Prisma.sql`(
  priority = ${priorityRank('urgent')}::smallint OR NOT ${IS_LARGE}
  OR NOT EXISTS (SELECT 1 FROM listing AS l
                  WHERE l.scan_task_id = request.scan_task_id AND l.hold_until > ${now}
                    AND coalesce(request.deadline, 'infinity') > l.hold_until + interval '1 minute'))`;

const HEAD = Prisma.sql`id, scan_task_id, caller, priority, next_due_at, deadline`;

/** Of each project, caller and priority with waiting work the request that is due first, one index probe each. */
function firstOfGroups(projects: ServedProjects, also = Prisma.empty): Prisma.Sql {
  const columns = Prisma.sql`project_id, ${HEAD}`;
  const order = Prisma.sql`ORDER BY caller, priority, next_due_at, id LIMIT 1`;
  return Prisma.sql`
    SELECT request.* FROM (${served(projects)}) AS p CROSS JOIN LATERAL (
           SELECT ${columns} FROM request WHERE project_id = p.id AND waiting > 0 ${also} ${order}) AS request
     UNION ALL
    SELECT request.* FROM first CROSS JOIN LATERAL (
           SELECT ${columns} FROM request
            WHERE project_id = first.project_id AND waiting > 0 AND (caller, priority) > (first.caller, first.priority) ${also}
            ${order}) AS request`;
}

const toShare = ({ weight, served, urgentServed }: HeadRow): Share => ({
  weight: weight ?? 1,
  served: served ?? 0,
  urgentServed: urgentServed ?? 0,
});

const toHead = ({ requestId, scanTaskId, caller, priority, dueAt, deadline, goesAlone }: HeadRow): Head => ({
  requestId,
  scanTaskId: BigInt(scanTaskId),
  caller,
  priority,
  dueAt: new Date(dueAt),
  deadline: deadline === null ? null : new Date(deadline),
  goesAlone: goesAlone ?? false,
});

function toChosenTask(scanTaskId: bigint, requestId: string, row: TaskRow): ChosenTask {
  const task = {
    scanTaskId,
    requestId,
    projectId: row.project_id,
    taskId: row.task_id,
    enterpriseProjectId: row.enterprise_project_id,
    isLarge: row.is_large,
    listed: row.listed,
  };
  if (row.whole_task) return { ...task, opening: { kind: 'whole_task' } };
  if (row.split_parent !== null && row.split_half !== null) {
    return { ...task, opening: { kind: 'part', parent: row.split_parent, part: row.split_half } };
  }
  return { ...task, opening: { kind: 'clusters' } };
}
