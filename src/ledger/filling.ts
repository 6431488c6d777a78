import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ChosenTask, Opening } from './choosing.js';

/** A waiting target that a call took, or that was parked because its cluster is in another live call. */
export interface Filled {
  readonly targetId: bigint;
  readonly requestId: string;
  /** Null: the whole task. */
  readonly clusterId: string | null;
  readonly scanTypes: number;
  readonly taken: boolean;
}

export interface Pass {
  readonly filled: readonly Filled[];
  /** No further pass would find more. */
  readonly exhausted: boolean;
}

/** In one row: 200 of them cost Prisma more time than Postgres takes to fill the call. */
export interface PassRow {
  /** Null: none. */
  filled: readonly FilledPart[] | null;
  candidates: number;
  clusters: number;
}

type FilledPart = readonly [
  targetId: string,
  requestId: string,
  clusterId: string | null,
  scanTypes: number,
  taken: boolean,
];

/** As many due targets as one pass looks at for each priority; several may want the same cluster. */
const CANDIDATES = 200;
/** As many targets as one pass moves: any number of requests may want the same clusters. What is left is parked by later looks. */
const TARGETS = 2_000;

/**
 * Takes waiting targets into a call that is being written. The scan task is locked. One statement a pass: it picks clusters in
 * order (those of whom the call is opened for; priority, due time), takes hold of them in `live_cluster` where no live call has them, claims every due target of the
 * clusters that it got, whoever asked, and parks those of the others. While a whole-task call is live it finds nothing.
 */
@Injectable()
export class FillingLedger {
  async fill(tx: Tx, task: ChosenTask, callId: string, now: Date, room: number): Promise<Pass> {
    const [row] =
      task.opening.kind === 'whole_task'
        ? await this.wholeTask(tx, task, callId, now)
        : await this.clusters(tx, task, callId, now, room, task.opening);
    const filled = (row?.filled ?? []).map(toFilled);
    const clusters = new Set(filled.map(({ clusterId }) => clusterId)).size;
    if (row && clusters < row.clusters) await this.letGoVanished(tx, task, callId);
    const mayHaveMore = row && (row.candidates >= CANDIDATES || row.clusters >= room);
    return { filled, exhausted: filled.length === 0 || !mayHaveMore || task.opening.kind === 'whole_task' };
  }

  private clusters(
    tx: Tx,
    task: ChosenTask,
    callId: string,
    now: Date,
    room: number,
    opening: Exclude<Opening, { kind: 'whole_task' }>,
  ): Promise<PassRow[]> {
    const isDue = Prisma.sql`t.scan_task_id = ${task.scanTaskId} AND t.state = 'waiting' AND t.due_at <= ${now}::timestamptz
      AND t.cluster_id IS NOT NULL AND ${partOf(opening)}`;
    return tx.$queryRaw<PassRow[]>`
      WITH candidate AS MATERIALIZED (
        (SELECT t.cluster_id, -1 AS rank, t.due_at, t.id FROM target AS t JOIN request AS r ON r.id = t.request_id
          WHERE t.request_id = ${task.requestId}::uuid AND ${isDue} AND r.expires_at > ${now}::timestamptz
          ORDER BY t.due_at LIMIT ${CANDIDATES}::int)
         UNION ALL
        SELECT c.* FROM generate_series(0, 2) AS rank
         CROSS JOIN LATERAL (
               SELECT t.cluster_id, rank, t.due_at, t.id FROM target AS t JOIN request AS r ON r.id = t.request_id
                WHERE ${isDue} AND t.priority = rank::smallint AND r.expires_at > ${now}::timestamptz
                ORDER BY t.due_at, t.id LIMIT ${CANDIDATES}::int) AS c),
      picked AS MATERIALIZED (
        SELECT cluster_id FROM candidate
         WHERE NOT EXISTS (SELECT 1 FROM live_cluster
                            WHERE project_id = ${task.projectId} AND task_id = ${task.taskId} AND cluster_id = '')
         GROUP BY cluster_id ORDER BY min((rank, due_at, id)) LIMIT ${room}::int),
      held AS (
        INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
        SELECT ${task.projectId}, ${task.taskId}, cluster_id, ${callId}::uuid FROM picked ORDER BY cluster_id
        ON CONFLICT DO NOTHING RETURNING cluster_id),
      wanted AS MATERIALIZED (
        SELECT t.id FROM picked CROSS JOIN LATERAL (
          -- Neither its state nor its due time: they would let the planner read all that waits for the task instead.
          SELECT id FROM target WHERE cluster_id = picked.cluster_id AND scan_task_id = ${task.scanTaskId}
          OFFSET 0) AS t),
      due AS MATERIALIZED (
        SELECT t.id, t.cluster_id IN (SELECT cluster_id FROM held) AS taken
          FROM target AS t JOIN request AS r ON r.id = t.request_id
         WHERE t.id = ANY (ARRAY(SELECT id FROM wanted)) AND ${isDue} AND r.expires_at > ${now}::timestamptz
         ORDER BY t.id LIMIT ${TARGETS}::int FOR UPDATE OF t)
      ${claim(callId)}`;
  }

  /** A whole-task call excludes every other live call of its task, and every other excludes it. */
  private wholeTask(tx: Tx, task: ChosenTask, callId: string, now: Date): Promise<PassRow[]> {
    return tx.$queryRaw<PassRow[]>`
      WITH candidate AS MATERIALIZED (SELECT NULL::text AS cluster_id LIMIT 0),
      picked AS MATERIALIZED (SELECT cluster_id FROM candidate),
      held AS (
        INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
        SELECT ${task.projectId}, ${task.taskId}, '', ${callId}::uuid
         WHERE NOT EXISTS (SELECT 1 FROM live_cluster WHERE project_id = ${task.projectId} AND task_id = ${task.taskId})
        ON CONFLICT DO NOTHING RETURNING cluster_id),
      due AS MATERIALIZED (
        SELECT t.id, EXISTS (SELECT 1 FROM held) AS taken
          FROM target AS t JOIN request AS r ON r.id = t.request_id
         WHERE t.cluster_id IS NULL AND t.scan_task_id = ${task.scanTaskId} AND t.state = 'waiting'
           AND t.due_at <= ${now}::timestamptz AND r.expires_at > ${now}::timestamptz
         ORDER BY t.id FOR UPDATE OF t)
      ${claim(callId)}`;
  }

  /**
   * Takes a task's requests out of the search while a whole-task call is live; its end brings them back (`unparkRequests`).
   * @returns false where no such call is live
   */
  async parkRequests(tx: Tx, task: ChosenTask): Promise<boolean> {
    const [live] = await tx.$queryRaw<{ live: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM live_cluster
                      WHERE project_id = ${task.projectId} AND task_id = ${task.taskId} AND cluster_id = '') AS live`;
    if (!live?.live) return false;
    await tx.$executeRaw`
      WITH locked AS MATERIALIZED (
        SELECT id FROM request WHERE scan_task_id = ${task.scanTaskId} AND waiting > 0 ORDER BY id FOR UPDATE)
      UPDATE request SET next_due_at = 'infinity' FROM locked WHERE request.id = locked.id`;
    return true;
  }

  /** Clusters that the call holds for nobody: whoever wanted one was cancelled while its lock was waited for, or stood behind too many others. */
  private async letGoVanished(tx: Tx, { scanTaskId }: ChosenTask, callId: string): Promise<void> {
    await tx.$executeRaw`
      DELETE FROM live_cluster AS l
       WHERE call_id = ${callId}::uuid
         AND NOT EXISTS (SELECT 1 FROM target AS t
                          WHERE t.cluster_id = l.cluster_id AND t.scan_task_id = ${scanTaskId} AND t.call_id = l.call_id)`;
  }

  /** A call that took nothing holds nothing. */
  async letGo(tx: Tx, callId: string): Promise<void> {
    await tx.$executeRaw`DELETE FROM live_cluster WHERE call_id = ${callId}::uuid`;
  }
}

/** Targets of a part go with their part alone: together with others they would be rejected again. */
function partOf(opening: Exclude<Opening, { kind: 'whole_task' }>): Prisma.Sql {
  return opening.kind === 'part'
    ? Prisma.sql`t.split_parent = ${opening.parent}::uuid AND t.split_half = ${opening.part}::smallint`
    : Prisma.sql`t.split_parent IS NULL`;
}

/** Due targets of held clusters go into the call, the others are parked until their cluster is free. */
export function claim(callId: string): Prisma.Sql {
  return Prisma.sql`
    , moved AS (
        UPDATE target AS t
           SET state = CASE WHEN due.taken THEN 'in_call' ELSE 'waiting' END::target_state,
               call_id = CASE WHEN due.taken THEN ${callId}::uuid END,
               call_ids = CASE WHEN due.taken THEN t.call_ids || ${callId}::uuid ELSE t.call_ids END,
               due_at = CASE WHEN due.taken THEN t.due_at ELSE 'infinity' END, scan_seen_at = NULL
          FROM due WHERE t.id = due.id
        RETURNING t.id AS target_id, t.request_id, t.cluster_id, t.scan_types, due.taken)
    SELECT (SELECT count(*)::int FROM candidate) AS candidates, (SELECT count(*)::int FROM picked) AS clusters,
           json_agg(json_build_array(target_id::text, request_id, cluster_id, scan_types, taken)
                    ORDER BY cluster_id, target_id) AS filled
      FROM moved`;
}

export const toFilled = ([targetId, requestId, clusterId, scanTypes, taken]: FilledPart): Filled => ({
  targetId: BigInt(targetId),
  requestId,
  clusterId,
  scanTypes,
  taken,
});
