-- CreateEnum
CREATE TYPE "fire_kind" AS ENUM ('scheduled', 'manual');

-- CreateEnum
CREATE TYPE "fire_state" AS ENUM ('open', 'done', 'skipped', 'failed');

-- CreateEnum
CREATE TYPE "fire_step" AS ENUM ('tasks', 'clusters');

-- CreateEnum
CREATE TYPE "fire_task_state" AS ENUM ('waiting', 'submitted', 'left_out');

-- CreateTable
CREATE TABLE "schedule" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "name" TEXT NOT NULL,
    "project_id" TEXT NOT NULL,
    "enterprise_project_id" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "key_id" UUID NOT NULL,
    "terms" JSONB NOT NULL,
    "anchor_at" TIMESTAMPTZ(3) NOT NULL,
    "paused_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "next_due_at" TIMESTAMPTZ(3),
    "next_fire_at" TIMESTAMPTZ(3),
    "planned_at" TIMESTAMPTZ(3) NOT NULL,
    "last_fire_id" UUID,

    CONSTRAINT "schedule_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "schedule_fire" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "schedule_id" UUID NOT NULL,
    "project_id" TEXT NOT NULL,
    "enterprise_project_id" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "kind" "fire_kind" NOT NULL,
    "state" "fire_state" NOT NULL,
    "reason" TEXT,
    "missed_since" TIMESTAMPTZ(3),
    "terms" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "step" "fire_step" NOT NULL,
    "place" INTEGER NOT NULL DEFAULT 0,
    "offset" INTEGER NOT NULL DEFAULT 0,
    "expected" INTEGER,
    "pages" INTEGER NOT NULL DEFAULT 0,
    "credential" TEXT,
    "page_due_at" TIMESTAMPTZ(3),
    "failures" SMALLINT NOT NULL DEFAULT 0,
    "tasks_seen" INTEGER NOT NULL DEFAULT 0,
    "tasks_taken" INTEGER NOT NULL DEFAULT 0,
    "clusters_seen" INTEGER NOT NULL DEFAULT 0,
    "clusters_taken" INTEGER NOT NULL DEFAULT 0,
    "left_out" JSONB NOT NULL DEFAULT '{}',

    CONSTRAINT "schedule_fire_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "fire_task" (
    "fire_id" UUID NOT NULL,
    "task_id" TEXT NOT NULL,
    "place" INTEGER NOT NULL,
    "state" "fire_task_state" NOT NULL DEFAULT 'waiting',
    "reason" TEXT,
    "failed" INTEGER,
    "clusters_seen" INTEGER NOT NULL DEFAULT 0,
    "clusters_taken" INTEGER NOT NULL DEFAULT 0,
    "request_id" UUID,

    CONSTRAINT "fire_task_pkey" PRIMARY KEY ("fire_id","task_id")
);

-- CreateTable
CREATE TABLE "fire_cluster" (
    "fire_id" UUID NOT NULL,
    "task_id" TEXT NOT NULL,
    "cluster_id" TEXT NOT NULL,
    "reason" TEXT,

    CONSTRAINT "fire_cluster_pkey" PRIMARY KEY ("fire_id","task_id","cluster_id")
);

-- CreateIndex
CREATE INDEX "schedule_project_idx" ON "schedule"("project_id", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "schedule_due_idx" ON "schedule"("next_fire_at") WHERE (next_fire_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "schedule_planned_idx" ON "schedule"("planned_at") WHERE (next_fire_at IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "schedule_name_idx" ON "schedule"("project_id", "name") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "schedule_fire_list_idx" ON "schedule_fire"("schedule_id", "id");

-- CreateIndex
CREATE INDEX "schedule_fire_page_idx" ON "schedule_fire"("page_due_at") WHERE (page_due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "schedule_fire_expiry_idx" ON "schedule_fire"("expires_at") WHERE (state = 'open'::fire_state);

-- CreateIndex
CREATE UNIQUE INDEX "schedule_fire_due_idx" ON "schedule_fire"("schedule_id", "due_at");

-- CreateIndex
CREATE UNIQUE INDEX "schedule_fire_open_idx" ON "schedule_fire"("schedule_id") WHERE (state = 'open'::fire_state);

-- CreateIndex
CREATE INDEX "fire_task_waiting_idx" ON "fire_task"("fire_id", "place") WHERE (state = 'waiting'::fire_task_state);

-- CreateIndex
CREATE INDEX "fire_task_place_idx" ON "fire_task"("fire_id", "place");

-- What Prisma does not know ------------------------------------------------------------------------------------------

-- A state carries exactly the data that exists in it.
ALTER TABLE "schedule" ADD CONSTRAINT "schedule_next_data" CHECK (
  (next_due_at IS NULL) = (next_fire_at IS NULL)
  AND (next_fire_at IS NULL OR (paused_at IS NULL AND deleted_at IS NULL)));
ALTER TABLE "schedule_fire" ADD CONSTRAINT "schedule_fire_state_data" CHECK (
  (state = 'open') = (page_due_at IS NOT NULL) AND (state = 'open') = (ended_at IS NULL)
  AND (state IN ('skipped', 'failed')) = (reason IS NOT NULL));
ALTER TABLE "fire_task" ADD CONSTRAINT "fire_task_state_data" CHECK (
  (state = 'submitted') = (request_id IS NOT NULL) AND (state = 'left_out') = (reason IS NOT NULL));

-- Rows that change with each page keep room for their next version beside them.
ALTER TABLE "schedule_fire" SET (fillfactor = 70);
