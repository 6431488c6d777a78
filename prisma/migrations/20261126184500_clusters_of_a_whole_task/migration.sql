-- The clusters of a call for a whole task are known when they have been listed, after its answer. A change of its state tells them itself.
CREATE FUNCTION record_call_clusters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event (kind, actor, project_id, call_id, lane_id, data)
  VALUES ('call.clusters_known', 'rescan', NEW.project_id, NEW.id, NEW.lane_id, jsonb_build_object('clusters', NEW.cluster_count));
  RETURN NULL;
END $$;
CREATE TRIGGER call_clusters_recorded AFTER UPDATE ON "call" FOR EACH ROW
  WHEN (NEW.cluster_count <> OLD.cluster_count AND NEW.state = OLD.state) EXECUTE FUNCTION record_call_clusters();

SELECT grant_service_role();
