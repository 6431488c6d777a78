import type pg from 'pg';

export interface History {
  /** When the oldest call was started; the others follow, ten seconds apart. */
  readonly oldest: Date;
  /** A request of many calls, and a call of many events. */
  readonly largeRequest: string;
  readonly largeCall: string;
  readonly schedule: string;
}

/** Of the calls, so many are unlike all others; they are the oldest. */
const RARE = 5;

/**
 * Calls of the past, with requests, targets and events, written as the service would leave them, but set by set. Nearly all of them
 * belong to `project-0` and are alike; whoever looks for one of the others by reading them all has to read to the end.
 */
export async function writeHistory(client: pg.Client, size: { calls: number; projects: number }): Promise<History> {
  const { calls, projects } = size;
  await client.query('BEGIN');
  // What is written here has its times and its events from here.
  await client.query('ALTER TABLE call DISABLE TRIGGER USER');
  await client.query(
    `CREATE TEMPORARY TABLE past ON COMMIT DROP AS
     SELECT n, n <= $3 AS rare, started_at, (substr(uuidv7_floor(started_at)::text, 1, 14) || substr(uuidv7()::text, 15))::uuid AS id,
            CASE WHEN n % 1000 BETWEEN 1 AND $2::int - 1 THEN 'project-' || n % 1000 ELSE 'project-0' END AS project_id
       FROM (SELECT n, date_trunc('milliseconds', clock_timestamp()) - ($1 - n + 360) * interval '10 seconds' AS started_at
               FROM generate_series(1, $1::int) AS n) AS moment`,
    [calls, projects, RARE],
  );
  // The rare ones are of the large project.
  await client.query(`UPDATE past SET project_id = 'project-0' WHERE rare`);
  await client.query(`INSERT INTO project (id) SELECT 'project-' || n FROM generate_series(0, $1::int - 1) AS n`, [
    projects,
  ]);
  await client.query(
    `INSERT INTO scan_task (project_id, task_id, enterprise_project_id)
     SELECT DISTINCT project_id, CASE WHEN rare THEN 'task-rare' ELSE 'task-' || n % 3 END, '0' FROM past`,
  );
  await writeRequests(client);
  await writeCalls(client);
  await writeEvents(client);
  const { rows } = await client.query<History>(
    `SELECT (SELECT min(started_at) FROM past) AS oldest,
            (SELECT request_id FROM asked WHERE project_id = 'project-0' AND NOT rare GROUP BY request_id ORDER BY count(*) DESC LIMIT 1) AS "largeRequest",
            (SELECT id FROM past WHERE project_id = 'project-0' AND NOT rare ORDER BY n LIMIT 1) AS "largeCall",
            uuidv7() AS schedule`,
  );
  const [history] = rows;
  if (!history) throw new Error('a query of one row without a row');
  await client.query(
    `INSERT INTO event (kind, actor, project_id, call_id, lane_id, data)
     SELECT 'lookup.read', 'rescan', 'project-0', $1::uuid, 'main.listTaskResources', '{}' FROM generate_series(1, 100)`,
    [history.largeCall],
  );
  await client.query(
    `INSERT INTO event (kind, actor, project_id, schedule_id, data) SELECT 'schedule.changed', 'bench', 'project-0', $1::uuid, '{}'
       FROM generate_series(1, 3)`,
    [history.schedule],
  );
  await client.query('ALTER TABLE call ENABLE TRIGGER USER');
  await client.query('COMMIT');
  return history;
}

/** One for each 50 calls of a scan task; `asked` says which calls are whose. */
async function writeRequests(client: pg.Client): Promise<void> {
  await client.query(
    `CREATE TEMPORARY TABLE asked ON COMMIT DROP AS
     WITH task AS (
       SELECT past.*, s.id AS scan_task_id, n / 150 AS part FROM past JOIN scan_task AS s
           ON s.project_id = past.project_id AND s.task_id = CASE WHEN rare THEN 'task-rare' ELSE 'task-' || n % 3 END),
     wish AS MATERIALIZED (SELECT scan_task_id, part, uuidv7() AS request_id FROM task GROUP BY scan_task_id, part)
     SELECT task.*, request_id FROM task JOIN wish USING (scan_task_id, part)`,
  );
  await client.query(
    `INSERT INTO request (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, labels, source, state,
                          expires_at, resolved, next_due_at, created_at, finished_at, total, waiting, succeeded)
     SELECT request_id, min(scan_task_id), min(project_id), CASE WHEN rare THEN 'rare' ELSE 'bench' END, uuidv7(), 'specific_cluster', 0,
            1, CASE WHEN rare THEN '{"env": "rare"}' ELSE '{"env": "prod"}' END::jsonb, 'api', 'finished', min(started_at), true, 'infinity',
            min(started_at), max(started_at), 1, 0, 1
       FROM asked GROUP BY request_id, rare`,
  );
}

/** Each with one target, of a cluster that is often scanned or of one of its own. */
async function writeCalls(client: pg.Client): Promise<void> {
  await client.query(
    `INSERT INTO target (request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, call_ids, result)
     SELECT request_id, scan_task_id, 1, CASE WHEN rare THEN 'rare' WHEN n % 20 = 0 THEN 'often' ELSE 'c-' || n END, 0, 'done',
            started_at, ARRAY[id], 'succeeded'
       FROM asked ORDER BY n`,
  );
  await client.query(
    `INSERT INTO call (id, lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks,
                       body_sha256, state, started_at, lease_until, slot_free_at, finished_at, http_status, error_code,
                       upstream_request_id, effect, policy_version, worker)
     SELECT asked.id, 'main.retryTask', CASE WHEN rare THEN 'rare' ELSE 'main' END, asked.scan_task_id, project_id, 'specific_cluster', 1,
            ARRAY[t.id], '{}',
            '\\x00', CASE WHEN rare THEN 'unknown' WHEN n % 4 = 0 THEN 'throttled' ELSE 'accepted' END::call_state, started_at,
            started_at, started_at, started_at, CASE WHEN rare THEN 418 WHEN n % 4 = 0 THEN 429 ELSE 200 END,
            CASE WHEN rare THEN 'HSS.rare' WHEN n % 4 = 0 THEN 'APIGW.0308' END, 'up-' || n,
            CASE WHEN rare THEN 'kept' WHEN n % 4 = 0 THEN 'none' ELSE 'renewed' END::call_effect, '1', 'bench'
       FROM asked JOIN target AS t ON t.call_ids = ARRAY[asked.id] ORDER BY n`,
  );
  await client.query('INSERT INTO call_request (call_id, request_id) SELECT id, request_id FROM asked');
  await client.query(
    `INSERT INTO call_tag (tag, call_id)
     SELECT tag, asked.id FROM asked JOIN request AS r ON r.id = asked.request_id
      CROSS JOIN LATERAL call_tags(r.project_id, r.caller, r.labels) AS tag`,
  );
}

/** Of a call its start and its end, at its time; of the rare ones a cancellation as well, and of none a lane that was paused. */
async function writeEvents(client: pg.Client): Promise<void> {
  await client.query(
    `INSERT INTO event (id, at, kind, actor, project_id, request_id, call_id, lane_id, data)
     SELECT (substr(asked.id::text, 1, 14) || substr(uuidv7()::text, 15))::uuid, started_at, kind,
            CASE WHEN kind = 'request.cancelled' THEN 'rare' ELSE 'rescan' END, project_id,
            CASE WHEN kind = 'targets.ended' THEN request_id END, asked.id,
            CASE WHEN kind = 'targets.ended' THEN NULL WHEN rare THEN 'rare.retryTask' ELSE 'main.retryTask' END, '{}'
       FROM asked CROSS JOIN unnest(ARRAY['call.started', 'call.accepted', 'targets.ended', 'request.cancelled']) AS kind
      WHERE rare OR kind <> 'request.cancelled' ORDER BY n`,
  );
  await client.query(
    `INSERT INTO event (kind, actor, lane_id, data) SELECT 'lane.paused', 'operator', 'main.retryTask', '{}' FROM generate_series(1, 3)`,
  );
}
