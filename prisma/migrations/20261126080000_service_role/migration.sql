-- What Prisma does not know ------------------------------------------------------------------------------------------

-- The service works as this role, whatever it logs in as. Roles belong to the cluster: another database may have made it already, or be
-- making it at this moment.
DO $$ BEGIN
  IF to_regrole('rescan_service') IS NULL THEN
    CREATE ROLE rescan_service NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the role rescan_service is missing and "%" may not create it: have an administrator run CREATE ROLE rescan_service NOLOGIN; GRANT rescan_service TO "%"; GRANT pg_read_all_stats TO rescan_service',
      current_user, current_user USING ERRCODE = 'insufficient_privilege';
END $$;

-- One login for everything is the least to set up. Where the migrating login may not grant this, the service says at its start what an
-- administrator has to. What it may see of all sessions is when their transactions began, without which no export knows where to stop.
DO $$ BEGIN
  IF NOT pg_has_role(current_user, 'rescan_service', 'SET') THEN
    GRANT rescan_service TO CURRENT_USER;
  END IF;
EXCEPTION WHEN insufficient_privilege OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
  IF NOT pg_has_role('rescan_service', 'pg_read_all_stats', 'USAGE') THEN
    GRANT pg_read_all_stats TO rescan_service;
  END IF;
EXCEPTION WHEN insufficient_privilege OR unique_violation THEN NULL;
END $$;

-- Every later migration that makes a table, a sequence or `ensure_partitions` anew ends with `SELECT grant_service_role()`.
-- Partitions get nothing: their parent's rights count for whoever goes through it, and nobody else has business there.
CREATE FUNCTION grant_service_role() RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  name text;
BEGIN
  GRANT USAGE ON SCHEMA public TO rescan_service;
  FOR name IN
    SELECT relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '_prisma_migrations'
  LOOP
    IF name IN ('event', 'event_seal', 'seal_head', 'seal_key') THEN
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
