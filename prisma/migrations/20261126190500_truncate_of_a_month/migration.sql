-- What Prisma does not know ------------------------------------------------------------------------------------------

-- Postgres gives a partition the triggers of its parent that fire for each row, and not those for each statement: a partition that was
-- named could be emptied.
CREATE FUNCTION guard_partitions() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  part regclass;
BEGIN
  FOR part IN
    SELECT i.inhrelid FROM pg_inherits AS i
      JOIN pg_trigger AS t ON t.tgrelid = i.inhparent AND t.tgname = 'no_truncate' AND t.tgfoid = 'refuse_change'::regproc
     WHERE NOT EXISTS (SELECT 1 FROM pg_trigger AS own WHERE own.tgrelid = i.inhrelid AND own.tgname = 'no_truncate')
     ORDER BY i.inhrelid::regclass::text
  LOOP
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
  END LOOP;
END $$;
SELECT guard_partitions();

-- The same as before, and nobody empties what it makes.
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
  PERFORM guard_partitions();
  RETURN made;
END $$;

SELECT grant_service_role();
