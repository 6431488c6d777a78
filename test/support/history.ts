import type pg from 'pg';

export interface History {
  /** Numbers of the scan tasks, from `first`, so many; each has one finished request, sent by one call. */
  readonly first: number;
  readonly tasks: number;
  readonly clustersPerTask: number;
  /** The scan tasks are spread over so many projects, `project-0` and on. */
  readonly projects: number;
}

/** Requests that have ended, with their targets, their calls and what the database recorded of these; set by set. */
export async function writeHistory(client: pg.Client, history: History): Promise<void> {
  const { first, tasks, clustersPerTask, projects } = history;
  await client.query('BEGIN');
  await client.query(
    `CREATE TEMPORARY TABLE fresh ON COMMIT DROP AS
     WITH task AS (
       INSERT INTO scan_task (project_id, task_id, enterprise_project_id)
       SELECT 'project-' || n % $3, 'task-' || n, '0' FROM generate_series($1::int, $1 + $2::int - 1) AS n
       RETURNING id AS scan_task_id, project_id, task_id)
     SELECT task.*, uuidv7() AS request_id, uuidv7() AS call_id, rescan_now() AS born FROM task ORDER BY scan_task_id`,
    [first, tasks, projects],
  );
  await client.query(
    `INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, labels, source,
                          expires_at, resolved, state, next_due_at, created_at, accepted_at, finished_at, total, waiting, succeeded)
     SELECT request_id, scan_task_id, project_id, 'team-a', uuidv7(), 'specific_cluster', 0, 1, '{}', 'api',
            born + interval '7 days', true, 'finished', 'infinity', born, born, born, $1, 0, $1 FROM fresh`,
    [clustersPerTask],
  );
  await client.query(
    `INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, call_ids, result)
     SELECT request_id, scan_task_id, 1, 'c-' || i, 0, 'done', 'infinity', ARRAY[call_id], 'succeeded'
       FROM fresh CROSS JOIN generate_series(1, $1::int) AS i ORDER BY scan_task_id, i`,
    [clustersPerTask],
  );
  await client.query(
    `INSERT INTO call (id, lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks,
                       body_sha256, state, started_at, lease_until, slot_free_at, finished_at, http_status, decision,
                       upstream_request_id, duration_ms, policy_version, worker)
     SELECT call_id, 'main.retryTask', 'main', scan_task_id, project_id, 'specific_cluster', $1, '{}', '{}', '\\x00', 'accepted',
            born, born, born, born, 200, '{"call": "accepted", "lane": {}, "targets": "watch"}', md5(call_id::text), 100, '1', 'worker-1'
       FROM fresh`,
    [clustersPerTask],
  );
  await client.query('INSERT INTO call_request (call_id, request_id) SELECT call_id, request_id FROM fresh');
  await client.query('COMMIT');
}

/** As the sealer does, but with a hash of no meaning: what is not sealed yet goes to the end of its project's chain. */
export async function sealAll(client: pg.Client): Promise<void> {
  await client.query(
    `INSERT INTO event_seal (project_id, seq, event_id, hash)
     SELECT project, coalesce((SELECT max(seq) FROM event_seal WHERE project_id = project), 0)
                     + row_number() OVER (PARTITION BY project ORDER BY tx, id), id, sha256(id::text::bytea)
       FROM (SELECT coalesce(project_id, '') AS project, tx, id FROM event
              WHERE NOT EXISTS (SELECT FROM event_seal WHERE event_id = event.id)) AS fresh`,
  );
}
