import { Injectable } from '@nestjs/common';
import { MAX_LISTED, type ListingWish, type TaskCounts } from '../domain/listing.js';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { readable, type ServedProjects } from './choosing.js';

/** A listing whose next page may be read. */
export interface DueListing {
  readonly scanTaskId: bigint;
  readonly projectId: string;
  readonly taskId: string;
  readonly enterpriseProjectId: string;
  readonly step: 'counts' | 'clusters';
  readonly failedOnly: boolean;
  readonly offset: number;
  readonly expected: number;
  readonly beganAt: Date;
  readonly restarts: number;
  readonly failures: number;
}

/** A cluster of a page, as it is kept. */
export interface ListedCluster {
  readonly clusterId: string;
  readonly scanStatus: string | null;
  readonly failedTypes: number;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** Who reads, and for which projects. */
export interface ListLane {
  readonly credential: string;
  readonly projects: ServedProjects;
}

/** Why and how long a listing is wanted. */
export interface Wanting {
  readonly now: Date;
  /** When it may begin, if not now. */
  readonly dueAt?: Date;
  /** How long the last one counts. */
  readonly keepMs: number;
  /** How long large requests wait for its counts. */
  readonly holdMs: number;
  /** Whatever the last one said. */
  readonly anew: boolean;
}

/** How long large requests go on waiting for a listing: until then, and in all at most so long. */
export interface Hold {
  readonly now: Date;
  readonly until: Date;
  readonly atMostMs: number;
}

/** Listings of scan tasks: wanted, read page by page, complete. What changes one has locked its scan task, but for who wants one. */
@Injectable()
export class ListingLedger {
  /**
   * Wants a listing where the last one is older than it may be, or where by now so much waits that it is worth one; `anew` in any
   * case. One that is being read goes on. Meanwhile large requests for the task wait, up to the end of the hold.
   * @returns whether it was begun, and is waited for
   */
  async want(tx: Tx, scanTaskId: bigint, { now, dueAt = now, keepMs, holdMs, anew }: Wanting): Promise<boolean> {
    const holdUntil = new Date(now.getTime() + holdMs);
    const oldest = new Date(now.getTime() - keepMs);
    const [row] = await tx.$queryRaw<{ held: boolean }[]>`
      INSERT INTO listing (scan_task_id, project_id, wanted_at, due_at, held_since, hold_until)
      SELECT id, project_id, ${now}::timestamptz, ${dueAt}::timestamptz, ${now}::timestamptz, ${holdUntil}::timestamptz
        FROM scan_task
       WHERE id = ${scanTaskId}
         -- Whoever ends a page has its row locked for long: nobody waits for it to learn that one is being read.
         AND NOT EXISTS (SELECT 1 FROM listing WHERE scan_task_id = ${scanTaskId} AND due_at IS NOT NULL)
      ON CONFLICT (scan_task_id) DO UPDATE
         SET step = 'counts', wanted_at = excluded.wanted_at, due_at = excluded.due_at,
             held_since = coalesce(listing.held_since, excluded.held_since),
             hold_until = least(excluded.hold_until, listing.held_since + ${keepMs}::float8 * interval '1 ms'),
             restarts = 0, failures = 0, "offset" = 0, exact = false, worth_from = NULL
       WHERE listing.due_at IS NULL
         AND (${anew} OR greatest(listing.wanted_at, listing.completed_at) <= ${oldest}::timestamptz
              OR (listing.step = 'given_up'
                  AND listing.worth_from <= (SELECT count(*) FROM (
                      SELECT 1 FROM target WHERE scan_task_id = ${scanTaskId} AND state = 'waiting' LIMIT ${MAX_LISTED}) AS t)))
      RETURNING hold_until > ${now}::timestamptz AS held`;
    return row?.held ?? false;
  }

  /** The listing that has waited longest for its next page; nobody else gets it before this page's call could have ended. */
  async takeDue(
    tx: Tx,
    { credential, projects }: ListLane,
    step: DueListing['step'],
    now: Date,
    leaseUntil: Date,
  ): Promise<DueListing | null> {
    const [row] = await tx.$queryRaw<DueListing[]>`
      WITH due AS (
        SELECT scan_task_id FROM listing
         WHERE due_at <= ${now}::timestamptz AND step = ${step}::listing_step AND project_id IN (${readable(projects)})
           AND ${isFor(credential)}
         ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      UPDATE listing AS l
         SET due_at = ${leaseUntil}::timestamptz, credential = ${credential},
             began_at = CASE WHEN l.step = 'counts' THEN ${now}::timestamptz ELSE l.began_at END
        FROM due, scan_task AS s
       WHERE l.scan_task_id = due.scan_task_id AND s.id = l.scan_task_id
      RETURNING s.id AS "scanTaskId", s.project_id AS "projectId", s.task_id AS "taskId",
                s.enterprise_project_id AS "enterpriseProjectId", l.step::text AS step, l.failed_only AS "failedOnly",
                l."offset", l.expected, l.began_at AS "beganAt", l.restarts, l.failures`;
    return row ?? null;
  }

  async nextDueAt(tx: Tx, { credential, projects }: ListLane, step: DueListing['step']): Promise<Date | null> {
    const [next] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT min(due_at) AS at FROM listing
       WHERE due_at IS NOT NULL AND step = ${step}::listing_step AND project_id IN (${readable(projects)})
         AND ${isFor(credential)}`;
    return next?.at ?? null;
  }

  /** The projects with a page that is due, by step: whose list lanes want a bell. */
  async projectsDue(tx: Tx): Promise<{ projectId: string; step: DueListing['step'] }[]> {
    return tx.$queryRaw`
      SELECT DISTINCT project_id AS "projectId", step::text AS step FROM listing WHERE due_at <= (SELECT rescan_now())`;
  }

  /** Under the scan task's lock: the page that was asked for is still the next one. */
  async isNext(tx: Tx, { scanTaskId, step, offset, beganAt }: DueListing): Promise<boolean> {
    const rows = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM listing
       WHERE scan_task_id = ${scanTaskId} AND step = ${step}::listing_step AND "offset" = ${offset}::int
         AND began_at = ${beganAt}::timestamptz AND due_at IS NOT NULL`;
    return rows.length > 0;
  }

  async wish(tx: Tx, scanTaskId: bigint): Promise<ListingWish> {
    const [wish] = await tx.$queryRaw<ListingWish[]>`
      SELECT EXISTS (SELECT 1 FROM target WHERE cluster_id IS NULL AND scan_task_id = ${scanTaskId} AND state = 'waiting') AS "wholeTask",
             EXISTS (SELECT 1 FROM target JOIN call ON call.id = target.call_id
                      WHERE cluster_id IS NULL AND target.scan_task_id = ${scanTaskId} AND target.state = 'in_call'
                        AND call.state = 'accepted') AS accepted,
             (SELECT count(*)::int FROM (SELECT 1 FROM target WHERE scan_task_id = ${scanTaskId} AND state = 'waiting'
                                          LIMIT ${MAX_LISTED + 1}) AS t) AS waiting`;
    if (!wish) throw new Error('a row without a table');
    return wish;
  }

  /** The counts are known, and so how much is to be read. */
  async beginClusters(
    tx: Tx,
    scanTaskId: bigint,
    counts: TaskCounts,
    { failedOnly, expected }: { failedOnly: boolean; expected: number },
    hold: Hold,
  ): Promise<void> {
    await this.forgetRows(tx, scanTaskId);
    await tx.$executeRaw`
      UPDATE listing
         SET step = 'clusters', "offset" = 0, failed = ${counts.failed}::int, idle = ${counts.idle},
             failed_only = ${failedOnly}, expected = ${expected}::int, failures = 0, ${goingOn(hold)}
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** What one page shows. */
  async keepRows(tx: Tx, scanTaskId: bigint, rows: readonly ListedCluster[]): Promise<void> {
    if (rows.length === 0) return;
    const distinct = [...new Map(rows.map((row) => [row.clusterId, row])).values()];
    await tx.$executeRaw`
      INSERT INTO listed_cluster (scan_task_id, cluster_id, scan_status, failed_types, start_time, end_time)
      SELECT ${scanTaskId}, row.*
        FROM unnest(${distinct.map((row) => row.clusterId)}::text[], ${distinct.map((row) => row.scanStatus)}::text[],
                    ${distinct.map((row) => row.failedTypes)}::smallint[], ${distinct.map((row) => row.startTime)}::timestamptz[],
                    ${distinct.map((row) => row.endTime)}::timestamptz[]) AS row (id, status, types, start_time, end_time)
       ORDER BY row.id
      ON CONFLICT (scan_task_id, cluster_id) DO UPDATE
         SET scan_status = excluded.scan_status, failed_types = excluded.failed_types, start_time = excluded.start_time,
             end_time = excluded.end_time`;
  }

  async goOn(tx: Tx, scanTaskId: bigint, offset: number, hold: Hold): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET "offset" = ${offset}::int, failures = 0, ${goingOn(hold)} WHERE scan_task_id = ${scanTaskId}`;
  }

  /** Begins anew, with the counts. */
  async restart(tx: Tx, scanTaskId: bigint, now: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET step = 'counts', "offset" = 0, restarts = restarts + 1, due_at = ${now}::timestamptz
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** The upstream could not be read: tried again later, and nobody waits for it meanwhile. */
  async postpone(tx: Tx, scanTaskId: bigint, dueAt: Date): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET failures = failures + 1, due_at = ${dueAt}::timestamptz, hold_until = NULL WHERE scan_task_id = ${scanTaskId}`;
  }

  /** @param worthFrom as many targets as must wait for it to be worth another one before this one is too old */
  async giveUp(tx: Tx, scanTaskId: bigint, worthFrom: number | null): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing
         SET step = 'given_up', due_at = NULL, hold_until = NULL, worth_from = ${worthFrom}::int
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** Everything was read, where as many clusters are known as there must be; false where some were missed. */
  async complete(tx: Tx, { scanTaskId }: DueListing, now: Date): Promise<boolean> {
    const completed = await tx.$executeRaw`
      WITH seen AS (
        SELECT count(*) AS clusters, count(*) FILTER (WHERE scan_status = 'failed') AS failed,
               count(*) FILTER (WHERE scan_status = 'scanning') AS scanning
          FROM listed_cluster WHERE scan_task_id = ${scanTaskId})
      UPDATE listing
         SET step = 'complete', completed_at = ${now}::timestamptz, due_at = NULL, hold_until = NULL,
             exact = listing.idle AND listing.failed = seen.failed AND seen.scanning = 0
        FROM seen WHERE scan_task_id = ${scanTaskId} AND seen.clusters = listing.expected`;
    return completed === 1;
  }

  /** Nothing has failed, by its counts: there is nothing to be read. */
  async completeEmpty(tx: Tx, scanTaskId: bigint, now: Date): Promise<void> {
    await this.forgetRows(tx, scanTaskId);
    await tx.$executeRaw`
      UPDATE listing
         SET step = 'complete', completed_at = ${now}::timestamptz, due_at = NULL, hold_until = NULL, exact = false, failed_only = true,
             failed = 0, expected = 0
       WHERE scan_task_id = ${scanTaskId}`;
  }

  /** Those of the listing before. */
  private async forgetRows(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$executeRaw`DELETE FROM listed_cluster WHERE scan_task_id = ${scanTaskId}`;
  }

  /** A call for the task has left: whoever waits for a listing from now on waits anew. */
  async endHold(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET held_since = NULL, hold_until = NULL WHERE scan_task_id = ${scanTaskId} AND held_since IS NOT NULL`;
  }

  /** A call had, or may have had, an effect, and is over now: what was listed before it is not what has failed now. */
  async spoil(tx: Tx, scanTaskId: bigint): Promise<void> {
    await tx.$executeRaw`
      UPDATE listing SET exact = false, idle = false
       WHERE idle AND scan_task_id IN (SELECT other.id FROM scan_task AS own JOIN scan_task AS other USING (project_id, task_id)
                                         WHERE own.id = ${scanTaskId})`;
  }
}

const goingOn = ({ now, until, atMostMs }: Hold): Prisma.Sql => Prisma.sql`
  due_at = ${now}::timestamptz,
  hold_until = least(${until}::timestamptz, held_since + ${atMostMs}::float8 * interval '1 ms')`;

/** All pages of one listing are read with one credential. */
const isFor = (credential: string): Prisma.Sql => Prisma.sql`(step = 'counts' OR credential = ${credential})`;
