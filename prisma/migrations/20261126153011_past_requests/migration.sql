-- Requests that ended long ago, with their targets and what scans said of these, are moved to tables of their own, by months of their
-- ids: these can be dropped one day, while what is at work stays small and in one place. Their columns are those of their origins, in the
-- same order, after what a past one has besides: a column that one of a pair gets, the other gets as well, and the view of both is made anew.

CREATE TABLE "past_request" (LIKE "request") PARTITION BY RANGE ("id");
ALTER TABLE "past_request" ADD CONSTRAINT "past_request_pkey" PRIMARY KEY ("id");
CREATE INDEX "past_request_scan_task_idx" ON "past_request"("scan_task_id", "id");
CREATE INDEX "past_request_project_idx" ON "past_request"("project_id", "id");

CREATE TABLE "past_target" ("scan_items" JSONB, LIKE "target") PARTITION BY RANGE ("request_id");
ALTER TABLE "past_target" ADD CONSTRAINT "past_target_pkey" PRIMARY KEY ("request_id", "id");
CREATE INDEX "past_target_cluster_idx" ON "past_target"("cluster_id", "scan_task_id", "id");

CREATE TABLE "past_request_default" PARTITION OF "past_request" DEFAULT;
CREATE TABLE "past_target_default" PARTITION OF "past_target" DEFAULT;
SELECT ensure_partitions();

-- The months of all that is there already: what lies in a default partition is never dropped, and read whenever a month is made.
DO $$
DECLARE
  parent text;
  month timestamp;
  part text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['past_request', 'past_target'] LOOP
    FOR month IN
      SELECT generate_series(date_trunc('month', uuid_extract_timestamp(id) AT TIME ZONE 'UTC'), clock_timestamp() AT TIME ZONE 'UTC', interval '1 month')
        FROM (SELECT id FROM request ORDER BY id LIMIT 1) AS oldest
    LOOP
      part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
      IF to_regclass(part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
          uuidv7_floor(month AT TIME ZONE 'UTC'), uuidv7_floor((month + interval '1 month') AT TIME ZONE 'UTC'));
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Which are to be moved next.
CREATE INDEX "request_finished_idx" ON "request"("finished_at") WHERE (finished_at IS NOT NULL);

-- Wherever they are. What a live target's scans said stands in scan_item.
CREATE VIEW "any_request" AS SELECT * FROM "request" UNION ALL SELECT * FROM "past_request";
CREATE VIEW "any_target" AS SELECT NULL::jsonb AS "scan_items", * FROM "target" UNION ALL SELECT * FROM "past_target";

-- As the API shows it, and as it is kept with a past target.
CREATE FUNCTION scan_item_shown(item scan_item) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_object('round', item.round, 'callId', item.call_id, 'scanType', item.scan_type, 'status', item.status,
                            'reason', item.reason)
$$;
CREATE FUNCTION scan_items_of(of_target bigint) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_agg(scan_item_shown(item) ORDER BY round, scan_type) FROM scan_item AS item WHERE target_id = of_target
$$;

-- The same as before, for views as well.
CREATE OR REPLACE FUNCTION grant_service_role() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  name text;
BEGIN
  GRANT USAGE ON SCHEMA public TO rescan_service;
  FOR name IN
    SELECT relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition AND relname <> '_prisma_migrations'
  LOOP
    IF name IN ('any_request', 'any_target') THEN
      EXECUTE format('GRANT SELECT ON %I TO rescan_service', name);
    ELSIF name IN ('event', 'event_seal', 'seal_head', 'seal_key') THEN
      EXECUTE format('GRANT SELECT, INSERT ON %I TO rescan_service', name);
    ELSE
      EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rescan_service', name);
    END IF;
  END LOOP;
  GRANT SELECT ON _prisma_migrations TO rescan_service;
  GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO rescan_service;
  -- Only an owner makes partitions: this is all of its rights that the service may use.
  ALTER FUNCTION ensure_partitions(int) SECURITY DEFINER SET search_path = public, pg_temp;
  REVOKE EXECUTE ON FUNCTION ensure_partitions(int) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION ensure_partitions(int) TO rescan_service;
END $$;
SELECT grant_service_role();
