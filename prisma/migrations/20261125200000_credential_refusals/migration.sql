-- Calls that were out together when a token died are refused together; only the first refusal counts.
ALTER TABLE "credential_state" ADD COLUMN "refused_at" TIMESTAMPTZ(3);

-- What Prisma does not know ------------------------------------------------------------------------------------------

-- The same as before, but a month whose first rows went into the default partition, since nobody ran for longer than it looks
-- ahead, stays there: it must not keep the other tables and months from theirs.
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
