-- DropIndex
DROP INDEX "event_request_idx";

-- AlterTable
ALTER TABLE "event" ADD COLUMN     "schedule_id" UUID,
ADD COLUMN     "text_hash" BYTEA,
ADD COLUMN     "tx" xid8 NOT NULL DEFAULT pg_current_xact_id();

-- CreateTable
CREATE TABLE "event_text" (
    "hash" BYTEA NOT NULL,
    "text" TEXT,
    "redacted_at" TIMESTAMPTZ(3),

    CONSTRAINT "event_text_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "event_seal" (
    "project_id" TEXT NOT NULL,
    "seq" BIGINT NOT NULL,
    "event_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "event_seal_pkey" PRIMARY KEY ("project_id","seq","event_id")
) PARTITION BY RANGE ("event_id");

-- CreateIndex
CREATE INDEX "event_seal_event_idx" ON "event_seal"("event_id");

-- CreateIndex
CREATE INDEX "event_request_idx" ON "event"("request_id", "id") WHERE (request_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "event_call_idx" ON "event"("call_id", "id") WHERE (call_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "event_tx_idx" ON "event"("tx", "id");

-- CreateIndex
CREATE INDEX "event_text_idx" ON "event"("text_hash") WHERE (text_hash IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

CREATE TABLE "event_seal_default" PARTITION OF "event_seal" DEFAULT;

-- Append-only: whoever asks, and on the partitions as well. What is too old goes with its whole partition.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "event" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "event_seal" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON "event" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON "event_seal" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The same as before, for whatever table is partitioned: all are, by months of UUIDv7.
CREATE OR REPLACE FUNCTION ensure_partitions(months_ahead int DEFAULT 2) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  month timestamp;
  part text;
  made int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rescan.ensure_partitions'));
  FOR parent IN
    SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace ORDER BY relname
  LOOP
    FOR month IN
      SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + n * interval '1 month'
        FROM generate_series(0, months_ahead) AS n
    LOOP
      part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      IF to_regclass(part) IS NULL THEN
        BEGIN
          EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
            uuidv7_floor(month AT TIME ZONE 'UTC'), uuidv7_floor((month + interval '1 month') AT TIME ZONE 'UTC'));
          made := made + 1;
        EXCEPTION WHEN check_violation THEN
          RAISE WARNING '% has rows of % in its default partition, where they and its others stay', parent, to_char(month, 'YYYY-MM');
        END;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
SELECT ensure_partitions();

-- What happens to calls, targets, requests and lookups is recorded by the database itself, in the transaction and by the statement that
-- does it: no statement can forget it. What people and callers do is recorded by whoever serves them, who knows with which key.

CREATE FUNCTION text_hash(said text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT sha256(convert_to(said, 'UTF8')) $$;

CREATE FUNCTION keep_text(said text) RETURNS bytea LANGUAGE sql STRICT
AS $$
  INSERT INTO event_text (hash, text) VALUES (text_hash(said), said) ON CONFLICT DO NOTHING;
  SELECT text_hash(said);
$$;

CREATE FUNCTION record_call_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event (kind, actor, project_id, call_id, lane_id, data)
  SELECT 'call.started', 'rescan', NEW.project_id, NEW.id, NEW.lane_id,
         jsonb_build_object('taskId', s.task_id, 'enterpriseProjectId', s.enterprise_project_id, 'rangeType', NEW.range_type,
           'clusters', NEW.cluster_count, 'bodySha256', encode(NEW.body_sha256, 'hex'), 'policyVersion', NEW.policy_version,
           'worker', NEW.worker)
    FROM scan_task AS s WHERE s.id = NEW.scan_task_id;
  RETURN NULL;
END $$;
CREATE TRIGGER call_start_recorded AFTER INSERT ON "call" FOR EACH ROW EXECUTE FUNCTION record_call_start();

CREATE FUNCTION record_call_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> OLD.state THEN
    INSERT INTO event (kind, actor, project_id, call_id, lane_id, text_hash, data)
    VALUES ('call.' || NEW.state, 'rescan', NEW.project_id, NEW.id, NEW.lane_id,
            CASE WHEN NEW.error_text IS DISTINCT FROM OLD.error_text THEN keep_text(NEW.error_text) END,
            jsonb_strip_nulls(jsonb_build_object('from', OLD.state, 'httpStatus', NEW.http_status, 'errorCode', NEW.error_code,
              'upstreamRequestId', NEW.upstream_request_id, 'durationMs', NEW.duration_ms, 'policyVersion', NEW.policy_version,
              'clusters', NEW.cluster_count,
              'decision', CASE WHEN NEW.decision IS DISTINCT FROM OLD.decision THEN NEW.decision END)));
  END IF;
  IF NEW.effect <> OLD.effect THEN
    INSERT INTO event (kind, actor, project_id, call_id, lane_id, data)
    VALUES ('call.effect', 'rescan', NEW.project_id, NEW.id, NEW.lane_id, jsonb_build_object('effect', NEW.effect));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER call_change_recorded AFTER UPDATE ON "call" FOR EACH ROW
  WHEN (NEW.state <> OLD.state OR NEW.effect <> OLD.effect) EXECUTE FUNCTION record_call_change();

CREATE FUNCTION record_lookup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event (kind, actor, project_id, call_id, lane_id, text_hash, data)
  VALUES ('lookup.' || NEW.state, 'rescan', NEW.project_id, NEW.call_id, NEW.lane_id, keep_text(NEW.error_text),
          jsonb_strip_nulls(jsonb_build_object('listCallId', NEW.id, 'offset', NEW."offset", 'rows', NEW.rows_read,
            'httpStatus', NEW.http_status, 'errorCode', NEW.error_code, 'upstreamRequestId', NEW.upstream_request_id)));
  RETURN NULL;
END $$;
CREATE TRIGGER lookup_recorded AFTER UPDATE ON "list_call" FOR EACH ROW
  WHEN (NEW.state <> OLD.state AND NEW.call_id IS NOT NULL) EXECUTE FUNCTION record_lookup();

-- One event for all targets of a request that come to the same end by the same statement.
CREATE FUNCTION record_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event (kind, actor, project_id, request_id, call_id, text_hash, data)
  SELECT moved.kind, 'rescan', r.project_id, r.id, moved.call_id, keep_text(moved.reason_text), moved.data
    FROM (SELECT 'targets.ended' AS kind, after.request_id, before.call_id, after.reason_text,
                 jsonb_build_object('result', after.result, 'reason', after.reason_code,
                   'targets', jsonb_agg(after.id ORDER BY after.id)) AS data
            FROM after JOIN before USING (id)
           WHERE after.state = 'done' AND before.state <> 'done'
           GROUP BY after.request_id, before.call_id, after.result, after.reason_code, after.reason_text
           UNION ALL
          SELECT 'targets.next_round', after.request_id, before.call_id, NULL,
                 jsonb_build_object('round', after.round, 'targets', jsonb_agg(after.id ORDER BY after.id))
            FROM after JOIN before USING (id)
           WHERE after.round > before.round
           GROUP BY after.request_id, before.call_id, after.round) AS moved
    JOIN request AS r ON r.id = moved.request_id
   ORDER BY moved.reason_text, moved.request_id;
  RETURN NULL;
END $$;
CREATE TRIGGER targets_recorded AFTER UPDATE ON "target" REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION record_targets();

CREATE FUNCTION record_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.resolved AND NOT OLD.resolved THEN
    INSERT INTO event (kind, actor, project_id, request_id, data)
    VALUES ('request.resolved', 'rescan', NEW.project_id, NEW.id, jsonb_build_object('targets', NEW.total));
  END IF;
  IF NEW.state <> OLD.state THEN
    INSERT INTO event (kind, actor, project_id, request_id, data)
    VALUES ('request.ended', 'rescan', NEW.project_id, NEW.id, jsonb_build_object('state', NEW.state, 'counts', jsonb_strip_nulls(
      jsonb_build_object('total', NEW.total, 'succeeded', nullif(NEW.succeeded, 0), 'scan_failed', nullif(NEW.scan_failed, 0),
        'not_failed', nullif(NEW.not_failed, 0), 'not_found', nullif(NEW.not_found, 0), 'rejected', nullif(NEW.rejected, 0),
        'exhausted', nullif(NEW.exhausted, 0), 'expired', nullif(NEW.expired, 0), 'cancelled', nullif(NEW.cancelled, 0),
        'unverified', nullif(NEW.unverified, 0)))));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER request_recorded AFTER UPDATE ON "request" FOR EACH ROW
  WHEN (NEW.state <> OLD.state OR NEW.resolved <> OLD.resolved) EXECUTE FUNCTION record_request();
