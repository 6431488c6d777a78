-- Calls whose fate is unknown are looked up, with list calls that take slots of lanes of their own.

CREATE TYPE "list_call_state" AS ENUM ('sending', 'read', 'throttled', 'unavailable', 'blocked', 'rejected', 'not_sent', 'unknown');

ALTER TABLE "call"
    ADD COLUMN "lookup_due_at" TIMESTAMPTZ(3),
    ADD COLUMN "lookup_until" TIMESTAMPTZ(3),
    ADD COLUMN "lookup_offset" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "lookup_seen" BIGINT[] DEFAULT ARRAY[]::BIGINT[],
    ADD COLUMN "lookup_taken" BIGINT[] DEFAULT ARRAY[]::BIGINT[];

CREATE INDEX "call_lookup_idx" ON "call"("lookup_due_at") WHERE (lookup_due_at IS NOT NULL);

CREATE TABLE "list_call" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "lane_id" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "scan_task_id" BIGINT NOT NULL,
    "project_id" TEXT NOT NULL,
    "call_id" UUID,
    "offset" INTEGER NOT NULL,
    "state" "list_call_state" NOT NULL DEFAULT 'sending',
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "lease_until" TIMESTAMPTZ(3) NOT NULL,
    "slot_free_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "rows_read" INTEGER,
    "http_status" SMALLINT,
    "error_code" TEXT,
    "error_text" TEXT,
    "upstream_request_id" TEXT,
    "duration_ms" INTEGER,
    "worker" TEXT NOT NULL,
    CONSTRAINT "list_call_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");

CREATE INDEX "list_call_slot_idx" ON "list_call"("lane_id", "slot_free_at");

CREATE INDEX "list_call_call_idx" ON "list_call"("call_id", "id") WHERE (call_id IS NOT NULL);

CREATE INDEX "list_call_lease_idx" ON "list_call"("lease_until") WHERE (state = 'sending'::list_call_state);

CREATE INDEX "list_call_sending_idx" ON "list_call"("credential") WHERE (state = 'sending'::list_call_state);

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "list_call" ADD CONSTRAINT "list_call_state_data" CHECK ((state = 'sending') = (finished_at IS NULL));
ALTER TABLE "call" ADD CONSTRAINT "call_lookup_data" CHECK (lookup_due_at IS NULL OR state = 'unknown');

CREATE TABLE "list_call_default" PARTITION OF "list_call" DEFAULT;

-- The same as before, for one table more.
CREATE OR REPLACE FUNCTION ensure_partitions(months_ahead int DEFAULT 2) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  month timestamp;
  part text;
  made int := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('rescan.ensure_partitions'));
  FOREACH parent IN ARRAY ARRAY['call', 'call_request', 'event', 'list_call'] LOOP
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
