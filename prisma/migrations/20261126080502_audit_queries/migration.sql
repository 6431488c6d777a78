-- DropIndex
DROP INDEX "target_cluster_idx";

-- DropIndex
DROP INDEX "call_phantom_idx";

-- CreateTable
CREATE TABLE "call_tag" (
    "tag" BIGINT NOT NULL,
    "call_id" UUID NOT NULL,

    CONSTRAINT "call_tag_pkey" PRIMARY KEY ("tag","call_id")
) PARTITION BY RANGE ("call_id");

-- CreateIndex
CREATE INDEX "target_cluster_idx" ON "target"("cluster_id", "scan_task_id", "id");

-- CreateIndex
CREATE INDEX "call_state_idx" ON "call"("state", "effect", "project_id", "id");

-- CreateIndex
CREATE INDEX "call_credential_idx" ON "call"("credential", "project_id", "id");

-- CreateIndex
CREATE INDEX "call_http_status_idx" ON "call"("http_status", "project_id", "id") WHERE (http_status IS NOT NULL);

-- CreateIndex
CREATE INDEX "call_error_idx" ON "call"("error_code", "project_id", "id") WHERE (error_code IS NOT NULL);

-- CreateIndex
CREATE INDEX "call_upstream_request_idx" ON "call"("upstream_request_id", "id") WHERE (upstream_request_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "call_task_idx" ON "call"("scan_task_id", "id");

-- CreateIndex
CREATE INDEX "event_kind_idx" ON "event"("kind", "project_id", "id");

-- CreateIndex
CREATE INDEX "event_actor_idx" ON "event"("actor", "project_id", "id") WHERE (actor <> 'rescan'::text);

-- CreateIndex
CREATE INDEX "event_lane_idx" ON "event"("lane_id", "project_id", "id") WHERE (lane_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "event_schedule_idx" ON "event"("schedule_id", "id") WHERE (schedule_id IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

CREATE TABLE "call_tag_default" PARTITION OF "call_tag" DEFAULT;

SELECT ensure_partitions();

-- 64 bits of a SHA-256: two tags may meet in one, so whoever searches by it asks the requests as well.
CREATE FUNCTION call_tag_of(project_id text, kind text, said text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT ('x' || left(encode(sha256(convert_to(concat_ws(E'\n', project_id, kind, said), 'UTF8')), 'hex'), 16))::bit(64)::bigint $$;

-- The tags of a request: its caller, and each of its labels as `key:value`.
CREATE FUNCTION call_tags(project_id text, caller text, labels jsonb) RETURNS SETOF bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT call_tag_of(project_id, 'caller', caller)
   UNION ALL
  SELECT call_tag_of(project_id, 'label', key || ':' || value) FROM jsonb_each_text(labels);
$$;

INSERT INTO call_tag (tag, call_id)
SELECT DISTINCT tag, cr.call_id
  FROM call_request AS cr JOIN request AS r ON r.id = cr.request_id
 CROSS JOIN LATERAL call_tags(r.project_id, r.caller, r.labels) AS tag;

SELECT grant_service_role();
