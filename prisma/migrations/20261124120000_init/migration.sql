-- rescan needs PostgreSQL 18 or newer: ids are uuidv7().

-- The one source of time. Tests replace it to move time. Volatile: conditions say "due_at <= (SELECT rescan_now())",
-- since "due_at <= rescan_now()" is asked for every row.
CREATE FUNCTION rescan_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$ SELECT clock_timestamp() $$;

CREATE TYPE "request_range" AS ENUM ('all_failed_cluster', 'specific_cluster');

CREATE TYPE "request_source" AS ENUM ('api', 'schedule', 'replay');

CREATE TYPE "request_state" AS ENUM ('open', 'finished', 'cancelled');

CREATE TYPE "target_state" AS ENUM ('waiting', 'in_call', 'done');

CREATE TYPE "target_result" AS ENUM ('succeeded', 'scan_failed', 'not_failed', 'not_found', 'rejected', 'exhausted', 'expired', 'cancelled', 'unverified');

CREATE TYPE "call_state" AS ENUM ('sending', 'accepted', 'partly_accepted', 'throttled', 'unavailable', 'blocked', 'rejected', 'not_sent', 'unknown', 'not_carried_out');

CREATE TABLE "project" (
    "id" TEXT NOT NULL,
    "paused_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),

    CONSTRAINT "project_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "scan_task" (
    "id" BIGSERIAL NOT NULL,
    "project_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "enterprise_project_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),

    CONSTRAINT "scan_task_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "request" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "scan_task_id" BIGINT NOT NULL,
    "project_id" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "key_id" UUID NOT NULL,
    "range" "request_range" NOT NULL,
    "scan_types" SMALLINT NOT NULL,
    "priority" SMALLINT NOT NULL,
    "max_rounds" SMALLINT NOT NULL DEFAULT 1,
    "labels" JSONB NOT NULL,
    "source" "request_source" NOT NULL,
    "replay_of" UUID,
    "deadline" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "state" "request_state" NOT NULL DEFAULT 'open',
    "resolved" BOOLEAN NOT NULL,
    "cancel_requested_at" TIMESTAMPTZ(3),
    "next_due_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "finished_at" TIMESTAMPTZ(3),
    "total" INTEGER NOT NULL,
    "waiting" INTEGER NOT NULL,
    "sending" INTEGER NOT NULL DEFAULT 0,
    "unknown" INTEGER NOT NULL DEFAULT 0,
    "accepted" INTEGER NOT NULL DEFAULT 0,
    "succeeded" INTEGER NOT NULL DEFAULT 0,
    "scan_failed" INTEGER NOT NULL DEFAULT 0,
    "not_failed" INTEGER NOT NULL DEFAULT 0,
    "not_found" INTEGER NOT NULL DEFAULT 0,
    "rejected" INTEGER NOT NULL DEFAULT 0,
    "exhausted" INTEGER NOT NULL DEFAULT 0,
    "expired" INTEGER NOT NULL DEFAULT 0,
    "cancelled" INTEGER NOT NULL DEFAULT 0,
    "unverified" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "request_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "target" (
    "id" BIGSERIAL NOT NULL,
    "request_id" UUID NOT NULL,
    "scan_task_id" BIGINT NOT NULL,
    "priority" SMALLINT NOT NULL,
    "cluster_id" TEXT,
    "scan_types" SMALLINT NOT NULL,
    "state" "target_state" NOT NULL DEFAULT 'waiting',
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "attempts" SMALLINT NOT NULL DEFAULT 0,
    "round" SMALLINT NOT NULL DEFAULT 1,
    "call_id" UUID,
    "call_ids" UUID[] DEFAULT ARRAY[]::UUID[],
    "split_parent" UUID,
    "split_half" SMALLINT,
    "result" "target_result",
    "reason_code" TEXT,
    "reason_text" TEXT,

    CONSTRAINT "target_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "live_cluster" (
    "project_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "cluster_id" TEXT NOT NULL,
    "call_id" UUID NOT NULL,

    CONSTRAINT "live_cluster_pkey" PRIMARY KEY ("project_id","task_id","cluster_id")
);

CREATE TABLE "call" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "lane_id" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "scan_task_id" BIGINT NOT NULL,
    "project_id" TEXT NOT NULL,
    "range_type" "request_range" NOT NULL,
    "cluster_count" SMALLINT NOT NULL,
    "target_ids" BIGINT[],
    "scan_masks" SMALLINT[],
    "body_sha256" BYTEA NOT NULL,
    "state" "call_state" NOT NULL DEFAULT 'sending',
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "lease_until" TIMESTAMPTZ(3) NOT NULL,
    "slot_free_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "verdict_due_at" TIMESTAMPTZ(3),
    "http_status" SMALLINT,
    "error_code" TEXT,
    "error_text" TEXT,
    "upstream_request_id" TEXT,
    "duration_ms" INTEGER,
    "decision" JSONB,
    "policy_version" TEXT NOT NULL,
    "worker" TEXT NOT NULL,
    "split_origin" UUID,
    "split_calls_left" SMALLINT,

    CONSTRAINT "call_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");

CREATE TABLE "call_request" (
    "call_id" UUID NOT NULL,
    "request_id" UUID NOT NULL,

    CONSTRAINT "call_request_pkey" PRIMARY KEY ("request_id","call_id")
) PARTITION BY RANGE ("call_id");

CREATE TABLE "lane" (
    "id" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "endpoint" TEXT NOT NULL,
    "egress" TEXT NOT NULL,
    "calls" INTEGER,
    "window_ms" INTEGER NOT NULL,
    "paused_until" TIMESTAMPTZ(3),
    "operator_paused_at" TIMESTAMPTZ(3),
    "breaker_open_until" TIMESTAMPTZ(3),
    "failure_streak" INTEGER NOT NULL DEFAULT 0,
    "last_error_code" TEXT,
    "last_error_text" TEXT,
    "last_error_at" TIMESTAMPTZ(3),

    CONSTRAINT "lane_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "credential_state" (
    "credential" TEXT NOT NULL,
    "confirmed" BOOLEAN NOT NULL DEFAULT false,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "open_until" TIMESTAMPTZ(3),
    "clock_offset_ms" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "credential_state_pkey" PRIMARY KEY ("credential")
);

CREATE TABLE "idempotency_key" (
    "caller" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "request_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("caller","key")
);

CREATE TABLE "api_key" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "hash" BYTEA NOT NULL,
    "caller" TEXT NOT NULL,
    "scopes" TEXT[],
    "projects" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "event" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "kind" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "key_id" UUID,
    "project_id" TEXT,
    "request_id" UUID,
    "call_id" UUID,
    "lane_id" TEXT,
    "data" JSONB NOT NULL,

    CONSTRAINT "event_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");

CREATE UNIQUE INDEX "scan_task_task_id_project_id_enterprise_project_id_key" ON "scan_task"("task_id", "project_id", "enterprise_project_id");

CREATE INDEX "request_due_idx" ON "request"("project_id", "priority", "next_due_at", "id") WHERE (waiting > 0);

CREATE INDEX "request_scan_task_idx" ON "request"("scan_task_id", "id");

CREATE INDEX "request_project_idx" ON "request"("project_id", "id");

CREATE INDEX "request_open_idx" ON "request"("caller") WHERE (state = 'open'::request_state);

CREATE INDEX "request_expiry_idx" ON "request"("expires_at") WHERE (waiting > 0);

CREATE INDEX "target_due_idx" ON "target"("scan_task_id", "priority", "due_at", "id") WHERE (state = 'waiting'::target_state);

CREATE INDEX "target_request_due_idx" ON "target"("request_id", "due_at") WHERE (state = 'waiting'::target_state);

CREATE INDEX "target_request_idx" ON "target"("request_id", "id");

CREATE INDEX "target_cluster_idx" ON "target"("cluster_id", "scan_task_id");

CREATE INDEX "target_split_idx" ON "target"("split_parent") WHERE (split_parent IS NOT NULL AND state = 'waiting'::target_state);

CREATE INDEX "live_cluster_call_idx" ON "live_cluster"("call_id");

CREATE INDEX "call_slot_idx" ON "call"("lane_id", "slot_free_at");

CREATE INDEX "call_project_idx" ON "call"("project_id", "id");

CREATE INDEX "call_lease_idx" ON "call"("lease_until") WHERE (state = 'sending'::call_state);

CREATE INDEX "call_sending_idx" ON "call"("credential") WHERE (state = 'sending'::call_state);

CREATE INDEX "call_verdict_idx" ON "call"("verdict_due_at") WHERE (verdict_due_at IS NOT NULL);

CREATE INDEX "call_request_call_idx" ON "call_request"("call_id");

CREATE INDEX "idempotency_key_expiry_idx" ON "idempotency_key"("expires_at");

CREATE UNIQUE INDEX "api_key_hash_key" ON "api_key"("hash");

CREATE INDEX "api_key_caller_idx" ON "api_key"("caller");

CREATE INDEX "event_project_idx" ON "event"("project_id", "id");

CREATE INDEX "event_request_idx" ON "event"("request_id") WHERE (request_id IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

-- The wire's promise: the counts of a request add up.
ALTER TABLE "request" ADD CONSTRAINT "request_counts_add_up" CHECK (
  total = waiting + sending + unknown + accepted + succeeded + scan_failed + not_failed + not_found + rejected
        + exhausted + expired + cancelled + unverified);
ALTER TABLE "request" ADD CONSTRAINT "request_counts_not_negative" CHECK (
  least(waiting, sending, unknown, accepted, succeeded, scan_failed, not_failed, not_found, rejected, exhausted, expired,
        cancelled, unverified) >= 0);

-- A state carries exactly the data that exists in it.
ALTER TABLE "target" ADD CONSTRAINT "target_state_data" CHECK (
  (state = 'in_call') = (call_id IS NOT NULL) AND (state = 'done') = (result IS NOT NULL));
ALTER TABLE "call" ADD CONSTRAINT "call_state_data" CHECK ((state = 'sending') = (finished_at IS NULL));

-- Rows that change often keep room for their next version on the same page.
ALTER TABLE "request" SET (fillfactor = 70);
ALTER TABLE "lane" SET (fillfactor = 50);
-- A queue's dead rows lie where the next search begins: clean up long before a fifth of the table is dead.
ALTER TABLE "target" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
ALTER TABLE "request" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Calls, their requests and events are dropped by whole months one day, never row by row. Ids are UUIDv7, whose first 48
-- bits are milliseconds, so a month is a range of ids. The default partitions take what no month covers.
CREATE TABLE "call_default" PARTITION OF "call" DEFAULT;
CREATE TABLE "call_request_default" PARTITION OF "call_request" DEFAULT;
CREATE TABLE "event_default" PARTITION OF "event" DEFAULT;

CREATE FUNCTION uuidv7_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT
AS $$ SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;

-- Makes the partitions of this month and of the next ones, where missing. Months are UTC, and follow the clock that makes the ids.
CREATE FUNCTION ensure_partitions(months_ahead int DEFAULT 2) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  month timestamp;
  part text;
  made int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rescan.ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['call', 'call_request', 'event'] LOOP
    FOR month IN
      SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + n * interval '1 month'
        FROM generate_series(0, months_ahead) AS n
    LOOP
      part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      IF to_regclass(part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
          uuidv7_floor(month AT TIME ZONE 'UTC'), uuidv7_floor((month + interval '1 month') AT TIME ZONE 'UTC'));
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

SELECT ensure_partitions();
