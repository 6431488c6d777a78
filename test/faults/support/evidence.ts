import type { LedgerEntry } from '../../../src/simulator/simulator.js';
import { clustersIn } from '../../support/upstream-record.js';
import type { Submitted } from './load.js';
import type { FaultPostgres } from './postgres.js';

/**
 * What the suite writes down beside the service's own tables, in a schema of its own: how calls and lanes changed (by triggers: no
 * code of the service has a say in it), what the upstream saw, and what the clients were told.
 */
const SCHEMA = `
  CREATE SCHEMA IF NOT EXISTS evidence;
  CREATE TABLE evidence.run (since timestamptz, lease_ms int, grace_ms int, window_ms int, window_calls int);
  CREATE TABLE evidence.call_log (
    id bigint GENERATED ALWAYS AS IDENTITY, call_id uuid, from_state text, state text, watched boolean,
    at timestamptz DEFAULT clock_timestamp());
  CREATE INDEX ON evidence.call_log (call_id);
  CREATE TABLE evidence.left_call (call_id uuid, target_id bigint, at timestamptz DEFAULT clock_timestamp());
  CREATE INDEX ON evidence.left_call (target_id);
  CREATE TABLE evidence.ended_again (target_id bigint, result text, again text, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE evidence.unwatched (call_id uuid, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE evidence.moved_on (schedule_id uuid, due_at timestamptz, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE evidence.lane_log (lane_id text, paused_until timestamptz, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE evidence.upstream (
    seq bigint PRIMARY KEY, at timestamptz, operation text, project_id text, task_id text, credential text, body_sha256 bytea,
    reply text, status int, taken text[], clusters text[]);
  CREATE TABLE evidence.client (
    submission text, caller text, idempotency_key text, status int, request_id uuid, targets int, whole_task boolean);
  CREATE TABLE evidence.notice (request_id uuid, at timestamptz, status int, signed boolean);
  CREATE FUNCTION evidence.log_call() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.call_log (call_id, from_state, state, watched)
    VALUES (NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.state::text END, NEW.state::text,
            NEW.state = 'sending' OR NEW.verdict_due_at IS NOT NULL);
    RETURN NULL;
  END $$;
  CREATE FUNCTION evidence.log_lane() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.lane_log (lane_id, paused_until) VALUES (NEW.id, NEW.paused_until);
    RETURN NULL;
  END $$;
  CREATE FUNCTION evidence.log_left() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.left_call (call_id, target_id) VALUES (OLD.call_id, OLD.id);
    RETURN NULL;
  END $$;
  CREATE FUNCTION evidence.log_ended_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.ended_again (target_id, result, again) VALUES (OLD.id, OLD.result::text, NEW.result::text);
    RETURN NULL;
  END $$;
  -- At the commit: a transaction may accept a call first, and watch it last of all.
  CREATE FUNCTION evidence.log_unwatched() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.unwatched (call_id)
    SELECT c.id FROM call AS c
     WHERE c.scan_task_id = coalesce(NEW.scan_task_id, OLD.scan_task_id) AND c.state IN ('accepted', 'partly_accepted') AND c.verdict_due_at IS NOT NULL AND c.cluster_count > 0
       AND NOT EXISTS (SELECT 1 FROM watch WHERE watch.scan_task_id = c.scan_task_id);
    RETURN NULL;
  END $$;
  CREATE FUNCTION evidence.log_moved_on() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO evidence.moved_on (schedule_id, due_at) VALUES (OLD.id, OLD.next_due_at);
    RETURN NULL;
  END $$;
  CREATE TRIGGER evidence_left AFTER UPDATE OF call_id ON target
    FOR EACH ROW WHEN (OLD.call_id IS NOT NULL AND NEW.call_id IS DISTINCT FROM OLD.call_id) EXECUTE FUNCTION evidence.log_left();
  CREATE TRIGGER evidence_end AFTER UPDATE OF state, result ON target
    FOR EACH ROW WHEN (OLD.state = 'done') EXECUTE FUNCTION evidence.log_ended_again();
  CREATE CONSTRAINT TRIGGER evidence_watch AFTER UPDATE ON call DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.state IN ('accepted', 'partly_accepted')) EXECUTE FUNCTION evidence.log_unwatched();
  CREATE CONSTRAINT TRIGGER evidence AFTER DELETE ON watch DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION evidence.log_unwatched();
  CREATE TRIGGER evidence AFTER UPDATE OF next_due_at ON schedule
    FOR EACH ROW WHEN (NEW.next_due_at > OLD.next_due_at) EXECUTE FUNCTION evidence.log_moved_on();
  CREATE TRIGGER evidence AFTER INSERT OR UPDATE OF state, verdict_due_at ON call
    FOR EACH ROW EXECUTE FUNCTION evidence.log_call();
  CREATE TRIGGER evidence AFTER UPDATE OF paused_until ON lane
    FOR EACH ROW WHEN (NEW.paused_until IS DISTINCT FROM OLD.paused_until) EXECUTE FUNCTION evidence.log_lane();
  -- Each line of the upstream with the call that it is: the last one with this body for this task that had begun by then.
  CREATE VIEW evidence.sent AS
    SELECT u.*, c.call_id, c.started_at, c.lease_until, c.committed_at
      FROM evidence.upstream AS u
      LEFT JOIN LATERAL (
           SELECT call.id AS call_id, call.started_at, call.lease_until,
                  (SELECT min(pg_xact_commit_timestamp(cr.xmin)) FROM call_request AS cr WHERE cr.call_id = call.id) AS committed_at
             FROM call JOIN scan_task AS s ON s.id = call.scan_task_id
            WHERE call.body_sha256 = u.body_sha256 AND s.task_id = u.task_id AND s.project_id = u.project_id
              -- The upstream's clock counts whole milliseconds.
              AND call.started_at < u.at + interval '1 ms'
            ORDER BY call.started_at DESC LIMIT 1) AS c ON true
     WHERE u.operation = 'RetryTask';
  -- From when to when a call had its clusters.
  CREATE VIEW evidence.live AS
    SELECT call.id AS call_id, s.project_id, s.task_id, call.range_type, call.target_ids, born.at AS since,
           coalesce((SELECT min(l.at) FROM evidence.call_log AS l WHERE l.call_id = call.id AND NOT l.watched), 'infinity') AS until
      FROM call JOIN scan_task AS s ON s.id = call.scan_task_id
      JOIN evidence.call_log AS born ON born.call_id = call.id AND born.from_state IS NULL;
  -- A call has a cluster until the last of its targets has left it: with its verdict, or where the call was carried out in part.
  CREATE VIEW evidence.live_clusters AS
    SELECT live.call_id, live.project_id, live.task_id, t.cluster_id, live.since,
           least(live.until, (SELECT min(l.at) FROM evidence.left_call AS l WHERE l.target_id = t.id AND l.call_id = live.call_id)) AS until
      FROM evidence.live JOIN target AS t ON t.id = ANY(live.target_ids);
  CREATE TABLE evidence.live_cluster AS SELECT * FROM evidence.live_clusters LIMIT 0;
  CREATE TABLE evidence.sent_now AS SELECT * FROM evidence.sent LIMIT 0`;

export interface Terms {
  readonly leaseMs: number;
  readonly graceMs: number;
  readonly windowMs: number;
  readonly windowCalls: number;
}

export async function prepareEvidence(postgres: FaultPostgres): Promise<void> {
  await postgres.query(SCHEMA);
}

/** What comes from now on belongs to a new run. */
export async function beginEvidence(postgres: FaultPostgres, terms: Terms): Promise<void> {
  await postgres.query(
    `TRUNCATE evidence.run, evidence.call_log, evidence.lane_log, evidence.upstream, evidence.client,
                               evidence.left_call, evidence.ended_again, evidence.unwatched, evidence.moved_on, evidence.notice`,
  );
  await postgres.query('INSERT INTO evidence.run VALUES (rescan_now(), $1, $2, $3, $4)', [
    terms.leaseMs,
    terms.graceMs,
    terms.windowMs,
    terms.windowCalls,
  ]);
}

export async function loadEvidence(
  postgres: FaultPostgres,
  ledger: readonly LedgerEntry[],
  submitted: readonly Submitted[],
): Promise<void> {
  await postgres.query(
    `INSERT INTO evidence.upstream
     SELECT seq, to_timestamp(at / 1000.0), operation, project_id, task_id, credential, decode(sha, 'hex'), reply, status, taken, clusters
       FROM jsonb_to_recordset($1::jsonb) AS r (seq bigint, at float8, operation text, project_id text, task_id text, credential text,
            sha text, reply text, status int, taken text[], clusters text[])`,
    [JSON.stringify(ledger.map(asRow))],
  );
  await postgres.query(
    `INSERT INTO evidence.client
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS r (submission text, caller text, idempotency_key text, status int,
            request_id uuid, targets int, whole_task boolean)`,
    [JSON.stringify(submitted)],
  );
  await postgres.query(`
    TRUNCATE evidence.live_cluster, evidence.sent_now;
    INSERT INTO evidence.sent_now SELECT * FROM evidence.sent;
    INSERT INTO evidence.live_cluster SELECT DISTINCT * FROM evidence.live_clusters;
    ANALYZE evidence.live_cluster; ANALYZE evidence.sent_now; ANALYZE evidence.call_log`);
}

function asRow(entry: LedgerEntry): object {
  const { seq, at, operation, projectId, taskId, credential, bodySha256: sha, clustersTaken: taken, reply } = entry;
  const status = reply && 'status' in reply ? reply.status : null;
  const clusters = operation === 'RetryTask' ? clustersIn(entry) : [];
  const asked = operation === 'ListTasks' ? new URLSearchParams(entry.query).get('task_id') : taskId;
  return {
    seq,
    at,
    operation,
    project_id: projectId,
    task_id: asked,
    credential,
    sha,
    reply: reply?.kind,
    status,
    taken,
    clusters,
  };
}
