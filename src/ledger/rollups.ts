import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

/** Four buckets for each doubling, as `domain/time-bucket.ts` reads them; whatever took less than a millisecond is in the first. */
const bucket = (ms: Prisma.Sql): Prisma.Sql => Prisma.sql`floor(4 * log(2.0, greatest(${ms}, 1)::numeric))::smallint`;
const msSince = (moment: Prisma.Sql, since: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`extract(epoch FROM ${moment} - ${since}) * 1000`;
const hourOf = (moment: Prisma.Sql): Prisma.Sql => Prisma.sql`date_trunc('hour', ${moment}, 'UTC')`;

/**
 * Counts what events tell, by the hour, so that a summary reads few rows however many calls there were. Each event is given once, in
 * the transaction that seals it.
 */
@Injectable()
export class RollupLedger {
  async add(tx: Tx, eventIds: readonly string[]): Promise<void> {
    await this.addCalls(tx, eventIds);
    await this.addTargets(tx, eventIds);
  }

  /**
   * A call counts once, in the hour of its start: with the state that it has now, since a later one takes back the one before. The error
   * code and the number of clusters are those of the event which brought the state; those of a whole task come when they are listed.
   */
  private async addCalls(tx: Tx, eventIds: readonly string[]): Promise<void> {
    await tx.$executeRaw`
      WITH change AS (
        SELECT c.id, c.project_id, ${hourOf(Prisma.sql`c.started_at`)} AS hour, s.task_id, e.id AS event_id, substr(e.kind, 6) AS state,
               e.data ->> 'from' AS before, coalesce(e.data ->> 'errorCode', 'none') AS code, (e.data -> 'clusters')::int AS clusters
          FROM event AS e
          JOIN call AS c ON c.id = e.call_id
          JOIN scan_task AS s ON s.id = c.scan_task_id
         WHERE e.id = ANY(${[...eventIds]}::uuid[]) AND e.kind LIKE 'call.%' AND e.data ? 'from'),
      listed AS (
        SELECT c.id, c.project_id, ${hourOf(Prisma.sql`c.started_at`)} AS hour, s.task_id, told.state, told.code, (e.data -> 'clusters')::int AS clusters
          FROM event AS e
          JOIN call AS c ON c.id = e.call_id
          JOIN scan_task AS s ON s.id = c.scan_task_id
         CROSS JOIN LATERAL (
               SELECT substr(kind, 6) AS state, coalesce(data ->> 'errorCode', 'none') AS code FROM event
                WHERE call_id = e.call_id AND kind LIKE 'call.%' AND data ? 'from' AND id < e.id ORDER BY id DESC LIMIT 1) AS told
         WHERE e.id = ANY(${[...eventIds]}::uuid[]) AND e.kind = 'call.clusters_known'),
      counted AS (
        SELECT id, project_id, hour, task_id, state, code, 1 AS n, clusters FROM change
         UNION ALL
        SELECT id, project_id, hour, task_id, state, code, 0, clusters FROM listed
         UNION ALL
        SELECT change.id, project_id, hour, task_id, before, coalesce(earlier.code, 'none'), -1, -earlier.clusters - coalesce(since.clusters, 0)
          FROM change
         CROSS JOIN LATERAL (
               SELECT id, data ->> 'errorCode' AS code, (data -> 'clusters')::int AS clusters FROM event
                WHERE call_id = change.id AND kind = 'call.' || change.before AND id < change.event_id
                ORDER BY id DESC LIMIT 1) AS earlier
         CROSS JOIN LATERAL (
               SELECT sum((data -> 'clusters')::int) AS clusters FROM event
                WHERE call_id = change.id AND kind = 'call.clusters_known' AND id > earlier.id AND id < change.event_id) AS since
         WHERE before <> 'sending'),
      shared AS (
        SELECT 'call' AS kind, '' AS caller, counted.* FROM counted
         UNION ALL
        SELECT 'call_of_caller', mine.caller, counted.*
          FROM counted
         CROSS JOIN LATERAL (
               SELECT DISTINCT r.caller FROM call_request AS cr
                CROSS JOIN LATERAL (SELECT caller FROM any_request WHERE id = cr.request_id OFFSET 0) AS r
                WHERE cr.call_id = counted.id) AS mine)
      INSERT INTO rollup (project_id, hour, kind, task_id, caller, state, code, count, clusters)
      SELECT project_id, hour, kind::rollup_kind, task_id, caller, state, code, sum(n), sum(clusters)
        FROM shared GROUP BY project_id, hour, kind, task_id, caller, state, code
       ORDER BY project_id, hour, kind, task_id, caller, state, code
      ON CONFLICT (project_id, hour, kind, task_id, caller, state, code) DO UPDATE
         SET count = rollup.count + excluded.count, clusters = rollup.clusters + excluded.clusters`;
  }

  /** In the hour of their end. Calls are counted for what succeeded; where another request's call did it for this one, it was that one call. */
  private async addTargets(tx: Tx, eventIds: readonly string[]): Promise<void> {
    await tx.$executeRaw`
      WITH ended AS MATERIALIZED (
        SELECT e.project_id, ${hourOf(Prisma.sql`e.at`)} AS hour, s.task_id, r.caller, e.data ->> 'result' AS state,
               coalesce(e.data ->> 'reason', 'none') AS code, jsonb_array_length(e.data -> 'targets') AS n,
               CASE WHEN c.state IN ('accepted', 'partly_accepted') THEN ${bucket(msSince(Prisma.sql`c.finished_at`, Prisma.sql`r.created_at`))} END AS accepted,
               CASE WHEN e.data ->> 'result' IN ('succeeded', 'scan_failed') THEN ${bucket(msSince(Prisma.sql`e.at`, Prisma.sql`r.created_at`))} END AS verdict,
               CASE WHEN e.data ->> 'result' = 'succeeded' THEN (
                 SELECT coalesce(sum(greatest(1, cardinality(t.call_ids))), 0) FROM jsonb_array_elements_text(e.data -> 'targets') AS part (id)
                  CROSS JOIN LATERAL (SELECT call_ids FROM any_target WHERE request_id = e.request_id AND id = part.id::bigint OFFSET 0) AS t)
               ELSE 0 END AS calls
          FROM event AS e
         CROSS JOIN LATERAL (SELECT * FROM any_request WHERE id = e.request_id OFFSET 0) AS r
          JOIN scan_task AS s ON s.id = r.scan_task_id
          LEFT JOIN call AS c ON c.id = e.call_id
         WHERE e.id = ANY(${[...eventIds]}::uuid[]) AND e.kind = 'targets.ended'),
      times AS (
        INSERT INTO rollup_time (project_id, hour, span, task_id, caller, state, code, bucket, count)
        SELECT project_id, hour, span, task_id, caller, state, code, bucket, sum(n)
          FROM ended CROSS JOIN LATERAL (VALUES ('accepted'::rollup_span, accepted), ('verdict'::rollup_span, verdict)) AS took (span, bucket)
         WHERE bucket IS NOT NULL
         GROUP BY project_id, hour, span, task_id, caller, state, code, bucket
         ORDER BY project_id, hour, span, task_id, caller, state, code, bucket
        ON CONFLICT (project_id, hour, span, task_id, caller, state, code, bucket) DO UPDATE
           SET count = rollup_time.count + excluded.count)
      INSERT INTO rollup (project_id, hour, kind, task_id, caller, state, code, count, calls)
      SELECT project_id, hour, 'target', task_id, caller, state, code, sum(n), sum(calls)
        FROM ended GROUP BY project_id, hour, task_id, caller, state, code
       ORDER BY project_id, hour, task_id, caller, state, code
      ON CONFLICT (project_id, hour, kind, task_id, caller, state, code) DO UPDATE
         SET count = rollup.count + excluded.count, calls = rollup.calls + excluded.calls`;
  }
}
