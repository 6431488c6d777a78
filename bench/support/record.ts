import type pg from 'pg';
import { autovacuum } from '../../test/support/autovacuum.js';

export const CLUSTERS_A_CALL = 20;
/** The same at every size, so that a day has the same rows: 10,000 calls. */
const SPACING_MS = 8_640;
const CALLS_A_REQUEST = 5;
export const PROJECTS = 20;
export const CALLERS = 8;
/** Of each project; each is asked for twice a day. */
export const CLUSTERS_A_PROJECT = 5_000;
const SET = 50_000;
/** Those with many rows a call: their indexes are made at the end. */
const LOADED = [
  'target',
  'past_target',
  'request',
  'past_request',
  'scan_task',
  'call',
  'call_request',
  'call_tag',
  'event',
  'event_seal',
  'scan_item',
  'rollup',
  'rollup_time',
];

/** A record of the past, as the service would have left it, set by set; the newest call is ten minutes old. Seals have hashes of no meaning. */
export async function writeRecord(client: pg.Client, calls: number): Promise<void> {
  // Triggers would write events of their own, of today.
  await client.query(
    `SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'`,
  );
  await client.query(
    `SELECT set_config('record.ends', (date_trunc('minute', now()) - interval '10 minutes')::text, false)`,
  );
  await client.query(HELPERS);
  await makePartitions(client, calls);
  const indexes = await dropIndexes(client);
  await client.query(`INSERT INTO project (id) SELECT 'project-' || n FROM generate_series(0, $1::int - 1) AS n`, [
    PROJECTS,
  ]);
  for (let from = 0; from < calls; from += SET) await writeSet(client, calls, from, Math.min(from + SET, calls));
  await endChains(client);
  for (const index of indexes) await client.query(index);
  await client.query('RESET session_replication_role; RESET synchronous_commit; RESET maintenance_work_mem');
  await autovacuum(client);
}

/** An id of a moment and a name, always the same: what refers to it need not look it up. */
const HELPERS = `
  CREATE FUNCTION pg_temp.id_of(at timestamptz, name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (substr(uuidv7_floor(at)::text, 1, 14) || '7' || substr(md5(name), 1, 3) || '-8' || substr(md5(name), 4, 3) || '-' || substr(md5(name), 7, 12))::uuid $$;
  CREATE FUNCTION pg_temp.moment_of(n int, calls int) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT current_setting('record.ends')::timestamptz - (calls - n)::bigint * ${SPACING_MS} * interval '1 ms' $$`;

async function makePartitions(client: pg.Client, calls: number): Promise<void> {
  await client.query(
    `DO $$ DECLARE parent text; month timestamp; part text; BEGIN
       FOR parent IN SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace LOOP
         FOR month IN SELECT generate_series(date_trunc('month', pg_temp.moment_of(0, ${calls}) AT TIME ZONE 'UTC') - interval '1 month',
                                             date_trunc('month', now() AT TIME ZONE 'UTC'), interval '1 month') LOOP
           part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
           IF to_regclass(part) IS NULL THEN
             EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
               uuidv7_floor(month AT TIME ZONE 'UTC'), uuidv7_floor((month + interval '1 month') AT TIME ZONE 'UTC'));
           END IF;
         END LOOP;
       END LOOP;
     END $$`,
  );
}

/** @returns what makes them again */
async function dropIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; made: string }>(
    `SELECT indexrelid::regclass::text AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS made
       FROM pg_index WHERE indrelid = ANY($1::regclass[]) AND NOT indisprimary ORDER BY 1`,
    [LOADED],
  );
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
  return rows.map(({ made }) => made);
}

/** `n` is a call, `r` its request: one for each scan task. */
async function writeSet(client: pg.Client, calls: number, from: number, to: number): Promise<void> {
  await client.query('BEGIN');
  await client.query(
    `CREATE TEMPORARY TABLE sent ON COMMIT DROP AS
     SELECT n, r, at, 'project-' || p AS project_id, p, pg_temp.id_of(at, 'call ' || n) AS id, 'credential-' || p % 5 AS credential, asked_at,
            pg_temp.id_of(asked_at, 'request ' || r) AS request_id, 'team-' || r % ${CALLERS} AS caller, at + interval '1 s' AS answered_at,
            at + interval '9 minutes' AS ended_at,
            CASE WHEN fate < 90 THEN 'accepted' WHEN fate < 97 THEN 'throttled' WHEN fate < 99 THEN 'unavailable' ELSE 'rejected' END AS state
       FROM (SELECT n, r, r * 7919 % ${PROJECTS} AS p, pg_temp.moment_of(n, $1) AS at, abs(hashint4(n)::bigint) % 100 AS fate,
                    pg_temp.moment_of(r * ${CALLS_A_REQUEST}, $1) - interval '30 seconds' AS asked_at
               FROM (SELECT n, n / ${CALLS_A_REQUEST} AS r FROM generate_series($2::int, $3::int - 1) AS n) AS numbered) AS made`,
    [calls, from, to],
  );
  await client.query('ANALYZE sent');
  for (const statement of [...REQUESTS, ...CALLS, ...EVENTS, ...ROLLUPS]) await client.query(statement);
  await client.query('COMMIT');
}

/** Of what ended long enough ago, requests and targets are where they are kept by months. */
const IS_PAST = `asked_at < current_setting('record.ends')::timestamptz - interval '7 days'`;
const IN_BOTH = (table: string, insert: (table: string, isThere: string) => string): string[] => [
  insert(table, `NOT ${IS_PAST}`),
  insert(`past_${table}`, IS_PAST),
];
const NONE = [
  ...['sending', 'unknown', 'accepted', 'scan_failed', 'not_failed', 'not_found', 'rejected', 'exhausted'],
  ...['expired', 'cancelled', 'unverified'],
];

const REQUESTS = [
  `INSERT INTO scan_task (id, project_id, task_id, enterprise_project_id, created_at)
   SELECT DISTINCT r + 1, project_id, md5('task ' || r)::uuid::text, '0', asked_at FROM sent ORDER BY 1`,
  ...IN_BOTH(
    'request',
    (table, isThere) => `
   INSERT INTO ${table} (id, scan_task_id, project_id, caller, key_id, range, scan_types, priority, max_rounds, labels, source, state, expires_at, resolved,
                         next_due_at, created_at, accepted_at, finished_at, total, waiting, succeeded, ${NONE.join(', ')})
   SELECT DISTINCT ON (r) request_id, r + 1, project_id, caller, md5(caller)::uuid, 'specific_cluster'::request_range, 0, 1, 1,
          jsonb_build_object('env', CASE WHEN r % 3 = 0 THEN 'test' ELSE 'prod' END, 'owner', 'squad-' || r % 50), 'api'::request_source,
          'finished'::request_state, asked_at + interval '7 days', true, 'infinity'::timestamptz, asked_at, answered_at, ended_at,
          ${CALLS_A_REQUEST * CLUSTERS_A_CALL}, 0, ${CALLS_A_REQUEST * CLUSTERS_A_CALL}, ${NONE.map(() => '0').join(', ')}
     FROM sent WHERE ${isThere} ORDER BY r, n DESC`,
  ),
];

const TARGET_OF = `n::bigint * ${CLUSTERS_A_CALL} + i + 1`;
const CLUSTER_OF = `md5('project-' || p || ' cluster-' || ((r / ${PROJECTS}) * ${CALLS_A_REQUEST * CLUSTERS_A_CALL} + n % ${CALLS_A_REQUEST} * ${CLUSTERS_A_CALL} + i) % ${CLUSTERS_A_PROJECT})::uuid::text`;
const I = `generate_series(0, ${CLUSTERS_A_CALL - 1}) AS i`;

const CALLS = [
  ...IN_BOTH(
    'target',
    (table, isThere) => `
   INSERT INTO ${table} (id, request_id, scan_task_id, priority, cluster_id, scan_types, state, due_at, attempts, round, call_ids, result, reason_code)
   SELECT ${TARGET_OF}, request_id, r + 1, 1, ${CLUSTER_OF}, 0, 'done', at, 1, 1, ARRAY[id],
          CASE WHEN state <> 'accepted' THEN 'exhausted' WHEN i % 5 = 0 THEN 'scan_failed' ELSE 'succeeded' END::target_result,
          CASE WHEN state <> 'accepted' THEN 'attempts_used_up' WHEN i % 5 = 0 THEN 'timeout' END
     FROM sent CROSS JOIN ${I} WHERE ${isThere} ORDER BY n, i`,
  ),
  `INSERT INTO scan_item (target_id, round, call_id, scan_type, status, reason)
   SELECT ${TARGET_OF}, 1, id, 'benchmark', 'failed', 'timeout' FROM sent CROSS JOIN ${I}
    WHERE state = 'accepted' AND i % 5 = 0 AND NOT ${IS_PAST} ORDER BY n, i`,
  `INSERT INTO call (id, lane_id, credential, scan_task_id, project_id, range_type, cluster_count, target_ids, scan_masks, body_sha256, state,
                     started_at, lease_until, slot_free_at, finished_at, http_status, error_code, error_text, upstream_request_id,
                     duration_ms, decision, effect, policy_version, worker)
   SELECT id, credential || '.retryTask', credential, r + 1, project_id, 'specific_cluster', ${CLUSTERS_A_CALL},
          ARRAY(SELECT ${TARGET_OF} FROM ${I}), '{}', sha256(n::text::bytea), state::call_state, at, at + interval '40 s',
          at + interval '61 s', answered_at, CASE state WHEN 'accepted' THEN 200 WHEN 'throttled' THEN 429 WHEN 'unavailable' THEN 502 ELSE 400 END,
          CASE state WHEN 'throttled' THEN 'APIGW.0308' WHEN 'rejected' THEN 'HSS.1044' END,
          CASE state WHEN 'throttled' THEN 'The throttling threshold has been reached: policy user over ratelimit, limit:5, time:1 minute.' END,
          md5('upstream ' || n), 180, '{"call": "accepted", "lane": {}, "targets": "watch"}',
          CASE state WHEN 'accepted' THEN 'renewed' ELSE 'none' END::call_effect, '1-8f3a', 'worker-1-4711' FROM sent ORDER BY n`,
  `INSERT INTO call_request (call_id, request_id) SELECT id, request_id FROM sent ORDER BY n`,
  `INSERT INTO call_tag (tag, call_id)
   SELECT tag, sent.id FROM sent JOIN any_request AS q ON q.id = sent.request_id
    CROSS JOIN LATERAL call_tags(q.project_id, q.caller, q.labels) AS tag ORDER BY n`,
];

const IN_CALL =
  "project_id, NULL::uuid AS request_id, id AS call_id, credential || '.retryTask' AS lane_id, NULL::uuid AS key_id, 'rescan' AS actor";
const IN_REQUEST =
  "project_id, request_id, NULL::uuid AS call_id, NULL AS lane_id, NULL::uuid AS key_id, 'rescan' AS actor";
/** As the triggers word them. */
const TOLD = `
  SELECT n, 1 AS step, at, 'call.started' AS kind, ${IN_CALL},
         jsonb_build_object('taskId', md5('task ' || r)::uuid, 'enterpriseProjectId', '0', 'rangeType', 'specific_cluster', 'clusters', ${CLUSTERS_A_CALL},
           'bodySha256', encode(sha256(n::text::bytea), 'hex'), 'policyVersion', '1-8f3a', 'worker', 'worker-1-4711') AS data FROM sent
   UNION ALL
  SELECT n, 2, answered_at, 'call.' || state, ${IN_CALL},
         jsonb_build_object('from', 'sending', 'httpStatus', 200, 'upstreamRequestId', md5('upstream ' || n), 'durationMs', 180, 'policyVersion', '1-8f3a',
           'clusters', ${CLUSTERS_A_CALL}, 'decision', '{"call": "accepted", "lane": {}, "targets": "watch"}'::jsonb) FROM sent
   UNION ALL
  SELECT n, 3, ended_at, 'call.effect', ${IN_CALL}, '{"effect": "renewed"}' FROM sent WHERE state = 'accepted'
   UNION ALL
  SELECT n, 4 + failed, ended_at, 'targets.ended', project_id, request_id, id, NULL, NULL, 'rescan',
         jsonb_build_object('result', CASE failed WHEN 1 THEN 'scan_failed' ELSE 'succeeded' END, 'reason', CASE failed WHEN 1 THEN 'timeout' END,
           'targets', (SELECT jsonb_agg(${TARGET_OF}) FROM ${I} WHERE (i % 5 = 0) = (failed = 1)))
    FROM sent CROSS JOIN generate_series(0, 1) AS failed
   UNION ALL
  SELECT DISTINCT ON (r) n, 0, asked_at, 'request.submitted', project_id, request_id, NULL::uuid, NULL, md5(caller)::uuid, caller,
         jsonb_build_object('source', 'api', 'taskId', md5('task ' || r)::uuid, 'enterpriseProjectId', '0', 'range', 'specific_cluster', 'scanTypes', '[]'::jsonb,
           'priority', 'normal', 'maxRounds', 1, 'deadline', NULL, 'targets', ${CALLS_A_REQUEST * CLUSTERS_A_CALL})
    FROM (SELECT * FROM sent ORDER BY r, n) AS first
   UNION ALL
  SELECT DISTINCT ON (r) n, 6, ended_at, 'request.ended', ${IN_REQUEST},
         '{"state": "finished", "counts": {"total": 100, "succeeded": 80, "scan_failed": 20}}'::jsonb
    FROM (SELECT * FROM sent ORDER BY r, n DESC) AS last`;

const EVENTS = [
  `WITH fresh AS (
     INSERT INTO event (id, at, kind, actor, key_id, project_id, request_id, call_id, lane_id, data)
     SELECT pg_temp.id_of(at, kind || n || step), at, kind, actor, key_id, project_id, request_id, call_id, lane_id, data
       FROM (${TOLD}) AS told ORDER BY at, n, step
     RETURNING id, project_id)
   INSERT INTO event_seal (project_id, seq, event_id, hash)
   SELECT project_id, coalesce((SELECT seq FROM seal_chain AS c WHERE c.project_id = fresh.project_id), 0) + row_number() OVER (PARTITION BY project_id ORDER BY id),
          id, sha256(id::text::bytea) FROM fresh ORDER BY project_id, id`,
  `INSERT INTO seal_chain (project_id, seq, hash)
   SELECT project_id, count(*), sha256('') FROM (${TOLD}) AS told GROUP BY project_id
   ON CONFLICT (project_id) DO UPDATE SET seq = seal_chain.seq + excluded.seq`,
];

const HOUR = `date_trunc('hour', at, 'UTC')`;
const TASK = `md5('task ' || r)::uuid::text`;
const ROLLUPS = [
  `INSERT INTO rollup (project_id, hour, kind, task_id, caller, state, code, count, clusters)
   SELECT project_id, ${HOUR}, kind, ${TASK}, CASE kind WHEN 'call' THEN '' ELSE caller END, state, CASE state WHEN 'throttled' THEN 'APIGW.0308' ELSE 'none' END,
          count(*), count(*) * ${CLUSTERS_A_CALL}
     FROM sent CROSS JOIN unnest(ARRAY['call', 'call_of_caller']::rollup_kind[]) AS kind GROUP BY 1, 2, 3, 4, 5, 6, 7
   ON CONFLICT DO NOTHING`,
  `INSERT INTO rollup (project_id, hour, kind, task_id, caller, state, code, count, calls)
   SELECT project_id, ${HOUR}, 'target'::rollup_kind, ${TASK}, caller, result, CASE result WHEN 'scan_failed' THEN 'timeout' ELSE 'none' END, count(*) * 10, count(*) * 10
     FROM sent CROSS JOIN unnest(ARRAY['succeeded', 'scan_failed']) AS result GROUP BY 1, 2, 3, 4, 5, 6, 7
   ON CONFLICT DO NOTHING`,
  `INSERT INTO rollup_time (project_id, hour, span, task_id, caller, state, code, bucket, count)
   SELECT project_id, ${HOUR}, span, ${TASK}, caller, result, CASE result WHEN 'scan_failed' THEN 'timeout' ELSE 'none' END, 40 + r % 20, count(*) * 10
     FROM sent CROSS JOIN unnest(ARRAY['succeeded', 'scan_failed']) AS result CROSS JOIN unnest(ARRAY['accepted', 'verdict']::rollup_span[]) AS span
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
   ON CONFLICT DO NOTHING`,
];

/** The sealer goes on from here. */
async function endChains(client: pg.Client): Promise<void> {
  await client.query(
    `UPDATE seal_progress SET tx = pg_snapshot_xmin(pg_current_snapshot()), event_id = '00000000-0000-0000-0000-000000000000',
                              server = (SELECT system_identifier::text FROM pg_control_system()), walk_id = NULL`,
  );
  await client.query(
    `SELECT setval('target_id_seq', (SELECT max(id) FROM target)), setval('scan_task_id_seq', (SELECT max(id) FROM scan_task))`,
  );
}
