import { Injectable } from '@nestjs/common';
import type { TaskCounts } from '../domain/listing.js';
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
  /** Why, by scan type, of the items that failed. */
  readonly reasons: Readonly<Record<string, string | null>>;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
}

/** Who reads, and for which projects. */
export interface ListLane {
  readonly credential: string;
  readonly projects: ServedProjects;
}

/** How long large requests go on waiting for a listing: until then, and in all at most so long. */
export interface Hold {
  readonly now: Date;
  readonly until: Date;
  readonly atMostMs: number;
}

/** Listings of scan tasks as they are read, page by page. The scan task of the one that is changed is locked. */
@Injectable()
export class ListingLedger {
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
      INSERT INTO listed_cluster (scan_task_id, cluster_id, scan_status, failed_types, reasons, start_time, end_time)
      SELECT ${scanTaskId}, row.id, row.status, row.types, row.reasons::jsonb, row.start_time, row.end_time
        FROM unnest(${distinct.map((row) => row.clusterId)}::text[], ${distinct.map((row) => row.scanStatus)}::text[],
                    ${distinct.map((row) => row.failedTypes)}::smallint[], ${distinct.map((row) => row.startTime)}::timestamptz[],
                    ${distinct.map((row) => row.endTime)}::timestamptz[], ${distinct.map((row) => JSON.stringify(row.reasons))}::text[])
             AS row (id, status, types, start_time, end_time, reasons)
       ORDER BY row.id
      ON CONFLICT (scan_task_id, cluster_id) DO UPDATE
         SET scan_status = excluded.scan_status, failed_types = excluded.failed_types, reasons = excluded.reasons, start_time = excluded.start_time,
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
}

const goingOn = ({ now, until, atMostMs }: Hold): Prisma.Sql => Prisma.sql`
  due_at = ${now}::timestamptz, held_since = coalesce(held_since, ${now}::timestamptz),
  hold_until = least(${until}::timestamptz, coalesce(held_since, ${now}::timestamptz) + ${atMostMs}::float8 * interval '1 ms')`;

/** All pages of one listing are read with one credential. */
const isFor = (credential: string): Prisma.Sql => Prisma.sql`(step = 'counts' OR credential = ${credential})`;
