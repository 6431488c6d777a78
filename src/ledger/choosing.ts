import { Injectable } from '@nestjs/common';
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
  /** What the target that is first in order asks for; only a hint, read before the lock was held. */
  readonly opening: Opening;
}

export type Opening =
  | { readonly kind: 'whole_task' }
  | { readonly kind: 'clusters' }
  /** One half of a rejected call: it goes alone. */
  | { readonly kind: 'half'; readonly parent: string; readonly half: number };

interface TaskRow {
  project_id: string;
  task_id: string;
  enterprise_project_id: string;
  whole_task: boolean | null;
  split_parent: string | null;
  split_half: number | null;
}

@Injectable()
export class ChoosingLedger {
  /**
   * The scan task whose waiting work comes first: priority, then due time. One index probe for each project and priority,
   * and no list of scan tasks, however many wait.
   */
  async firstDueTask(tx: Tx, projects: ServedProjects, now: Date, tried: readonly bigint[]): Promise<bigint | null> {
    const [row] = await tx.$queryRaw<{ scan_task_id: bigint }[]>`
      SELECT first.scan_task_id
        FROM (${served(projects)}) AS p
       CROSS JOIN generate_series(0, 2) AS rank
       CROSS JOIN LATERAL (
             SELECT id, scan_task_id, next_due_at FROM request
              WHERE project_id = p.id AND priority = rank::smallint AND waiting > 0
                AND next_due_at <= ${now}::timestamptz AND expires_at > ${now}::timestamptz
                AND scan_task_id <> ALL(${[...tried]}::bigint[])
              ORDER BY next_due_at, id LIMIT 1) AS first
       ORDER BY rank, first.next_due_at, first.id LIMIT 1`;
    return row?.scan_task_id ?? null;
  }

  /** When the next waiting work of these projects is due; null where none will be by itself. */
  async nextDueAt(tx: Tx, projects: ServedProjects): Promise<Date | null> {
    const [row] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(next.next_due_at) AS at
        FROM (${served(projects)}) AS p
       CROSS JOIN generate_series(0, 2) AS rank
       CROSS JOIN LATERAL (
             SELECT next_due_at FROM request
              WHERE project_id = p.id AND priority = rank::smallint AND waiting > 0 AND next_due_at < 'infinity'
              ORDER BY next_due_at LIMIT 1) AS next`;
    return row?.at ?? null;
  }

  /**
   * Locks a scan task under all its enterprise projects, since they are views of the same clusters; null where somebody has it.
   * Two starters of one task always share a row: what one of them sees is a part of what the other sees.
   */
  async lockTask(tx: Tx, scanTaskId: bigint, now: Date): Promise<ChosenTask | null> {
    const [row] = await tx.$queryRaw<TaskRow[]>`
      WITH same AS (
        SELECT other.id FROM scan_task AS own JOIN scan_task AS other USING (project_id, task_id)
         WHERE own.id = ${scanTaskId}),
      locked AS (
        SELECT id FROM scan_task WHERE id IN (SELECT id FROM same) ORDER BY id FOR UPDATE SKIP LOCKED)
      SELECT task.project_id, task.task_id, task.enterprise_project_id, opening.*
        FROM scan_task AS task
        LEFT JOIN LATERAL (
             SELECT t.cluster_id IS NULL AS whole_task, t.split_parent, t.split_half
               FROM generate_series(0, 2) AS rank
              CROSS JOIN LATERAL (
                    SELECT * FROM target
                     WHERE scan_task_id = task.id AND priority = rank::smallint AND state = 'waiting'
                       AND due_at <= ${now}::timestamptz
                     ORDER BY due_at, id LIMIT 1) AS t
              ORDER BY rank LIMIT 1) AS opening ON true
       WHERE task.id = ${scanTaskId} AND (SELECT count(*) FROM locked) = (SELECT count(*) FROM same)`;
    return row ? toChosenTask(scanTaskId, row) : null;
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
      SELECT p.id FROM (${served(projects)}) AS p
       WHERE EXISTS (
             SELECT 1 FROM generate_series(0, 2) AS rank
              CROSS JOIN LATERAL (
                    SELECT 1 FROM request
                     WHERE project_id = p.id AND priority = rank::smallint AND waiting > 0
                       AND next_due_at <= (SELECT rescan_now())
                     LIMIT 1) AS due)`;
    return rows.map(({ id }) => id);
  }
}

/** The projects that work may leave for, as a subquery. */
export function served(projects: ServedProjects): Prisma.Sql {
  return projects === '*'
    ? Prisma.sql`SELECT id FROM project WHERE paused_at IS NULL`
    : Prisma.sql`SELECT id FROM project WHERE id = ANY(${[...projects]}::text[]) AND paused_at IS NULL`;
}

function toChosenTask(scanTaskId: bigint, row: TaskRow): ChosenTask {
  const task = {
    scanTaskId,
    projectId: row.project_id,
    taskId: row.task_id,
    enterpriseProjectId: row.enterprise_project_id,
  };
  if (row.whole_task) return { ...task, opening: { kind: 'whole_task' } };
  if (row.split_parent !== null && row.split_half !== null) {
    return { ...task, opening: { kind: 'half', parent: row.split_parent, half: row.split_half } };
  }
  return { ...task, opening: { kind: 'clusters' } };
}
