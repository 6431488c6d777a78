import type pg from 'pg';

export interface Backlog {
  /** Numbers of the scan tasks, each with one request: from `first`, so many. */
  readonly first: number;
  readonly tasks: number;
  readonly clustersPerTask: number;
  /** The scan tasks are spread over so many projects, `project-0` and on. */
  readonly projects: number;
  /** With a tenth of the targets parked behind live clusters and another tenth in backoff; and all three priorities. */
  readonly mixed: boolean;
}

/**
 * Waiting work, written as intake would leave it, but set by set. Of a mixed backlog a twentieth of the tasks is parked as a
 * whole and another is in backoff; of half of the tasks 10 targets in 100 are, each.
 */
export async function writeBacklog(client: pg.Client, backlog: Backlog): Promise<void> {
  const { first, tasks, clustersPerTask, projects, mixed } = backlog;
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO project (id) SELECT 'project-' || n FROM generate_series(0, $1 - 1) AS n ON CONFLICT DO NOTHING`,
    [projects],
  );
  await client.query(
    `CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
     WITH task AS (
       INSERT INTO scan_task (project_id, task_id, enterprise_project_id)
       SELECT 'project-' || n % $3, 'task-' || n, '0' FROM generate_series($1::int, $1 + $2::int - 1) AS n
       RETURNING id AS scan_task_id, project_id, task_id, split_part(task_id, '-', 2)::int AS n)
     SELECT task.*, uuidv7() AS request_id, now() - ($1 + $2 - n) * interval '1 ms' AS born,
            CASE WHEN NOT $4 OR n % 20 >= 12 THEN 0 WHEN n % 20 < 2 THEN 100 ELSE 10 END AS held_back,
            CASE WHEN $4 THEN n % 3 ELSE 1 END AS priority
       FROM task`,
    [first, tasks, projects, mixed],
  );
  await client.query(
    `INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, due_at)
     SELECT request_id, scan_task_id, priority, cluster_id, 0,
            CASE WHEN n % 20 <> 1 AND place <= held_back THEN 'infinity'
                 WHEN n % 20 <> 0 AND place <= 2 * held_back THEN born + interval '1 hour' ELSE born END
       FROM (SELECT *, 100.0 * row_number() OVER (PARTITION BY scan_task_id ORDER BY cluster_id) / $1 AS place
               FROM fresh CROSS JOIN LATERAL (
                    SELECT md5(n || '/' || i)::uuid::text AS cluster_id FROM generate_series(1, $1::int) AS i) AS cluster) AS placed
      ORDER BY scan_task_id, cluster_id`,
    [clustersPerTask],
  );
  await client.query(
    `INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, labels, source,
                          expires_at, resolved, next_due_at, created_at, total, waiting)
     SELECT request_id, scan_task_id, project_id, 'bench', uuidv7(), 'specific_cluster', 0, priority, '{}', 'api',
            born + interval '7 days', true,
            (SELECT min(due_at) FROM target WHERE target.request_id = fresh.request_id), born, $1, $1 FROM fresh`,
    [clustersPerTask],
  );
  if (mixed) await holdParked(client);
  await client.query('COMMIT');
}

/** What the parked targets wait for: accepted calls, one for each scan task, without a verdict yet. */
async function holdParked(client: pg.Client): Promise<void> {
  await client.query(
    `WITH live AS (
       INSERT INTO call (lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks,
                         body_sha256, state, started_at, lease_until, slot_free_at, finished_at, verdict_due_at, http_status,
                         policy_version, worker)
       SELECT 'main.retryTask', 'main', scan_task_id, project_id, 'specific_cluster', 10, '{}', '{}', '\\x00', 'accepted',
              born, born, born, born, born + interval '6 hours', 200, '1', 'bench'
         FROM fresh WHERE held_back > 0 AND n % 20 <> 1 RETURNING id, scan_task_id)
     INSERT INTO live_cluster (project_id, task_id, cluster_id, call_id)
     SELECT fresh.project_id, fresh.task_id, target.cluster_id, live.id
       FROM live JOIN fresh USING (scan_task_id) JOIN target USING (scan_task_id)
      WHERE target.due_at = 'infinity'`,
  );
}

/** Everything but keys, lanes and the queue. */
export async function clear(client: pg.Client): Promise<void> {
  // The record of events refuses it otherwise.
  await client.query(`
    SET session_replication_role = replica;
    TRUNCATE target, request, call, call_request, live_cluster, scan_task, event, idempotency_key, listing, listed_cluster, list_call;
    RESET session_replication_role`);
}
