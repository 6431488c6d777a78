-- CreateEnum
CREATE TYPE "call_effect" AS ENUM ('none', 'seen', 'renewed', 'kept', 'phantom');

-- CreateEnum
CREATE TYPE "watch_step" AS ENUM ('running', 'failed', 'success', 'scanning', 'alone');

-- AlterTable
ALTER TABLE "project" ADD COLUMN     "scan_ms" INTEGER;

-- AlterTable
ALTER TABLE "live_cluster" ADD COLUMN     "scanning" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "seen_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "call" ADD COLUMN     "effect" "call_effect" NOT NULL DEFAULT 'none';

-- AlterTable
ALTER TABLE "listed_cluster" ADD COLUMN     "reasons" JSONB;

-- CreateTable
CREATE TABLE "watch" (
    "scan_task_id" BIGINT NOT NULL,
    "project_id" TEXT NOT NULL,
    "enterprise_project_id" TEXT NOT NULL,
    "step" "watch_step" NOT NULL DEFAULT 'running',
    "priority" SMALLINT NOT NULL,
    "needed_at" TIMESTAMPTZ(3) NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "credential" TEXT,
    "began_at" TIMESTAMPTZ(3),
    "offset" INTEGER NOT NULL DEFAULT 0,
    "asked_alone" SMALLINT NOT NULL DEFAULT 0,
    "at_rest" BOOLEAN NOT NULL DEFAULT false,
    "failures" SMALLINT NOT NULL DEFAULT 0,

    CONSTRAINT "watch_pkey" PRIMARY KEY ("scan_task_id")
);

-- CreateTable
CREATE TABLE "running_list" (
    "project_id" TEXT NOT NULL,
    "enterprise_project_id" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "began_at" TIMESTAMPTZ(3) NOT NULL,
    "offset" INTEGER NOT NULL DEFAULT 0,
    "failures" SMALLINT NOT NULL DEFAULT 0,

    CONSTRAINT "running_list_pkey" PRIMARY KEY ("project_id","enterprise_project_id")
);

-- CreateTable
CREATE TABLE "scan_item" (
    "target_id" BIGINT NOT NULL,
    "round" SMALLINT NOT NULL,
    "call_id" UUID NOT NULL,
    "scan_type" TEXT NOT NULL,
    "status" TEXT,
    "reason" TEXT,

    CONSTRAINT "scan_item_pkey" PRIMARY KEY ("target_id","round","scan_type")
);

-- CreateTable
CREATE TABLE "cluster_scan" (
    "project_id" TEXT NOT NULL,
    "task_id" TEXT NOT NULL,
    "cluster_id" TEXT NOT NULL,
    "start_time" TIMESTAMPTZ(3),
    "end_time" TIMESTAMPTZ(3),

    CONSTRAINT "cluster_scan_pkey" PRIMARY KEY ("project_id","task_id","cluster_id")
);

-- CreateTable
CREATE TABLE "retry_outcome" (
    "project_id" TEXT NOT NULL,
    "scan_type" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "round" SMALLINT NOT NULL,
    "tried" INTEGER NOT NULL DEFAULT 0,
    "succeeded" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "retry_outcome_pkey" PRIMARY KEY ("project_id","scan_type","reason","round")
);

-- CreateIndex
CREATE INDEX "watch_due_idx" ON "watch"("due_at");

-- CreateIndex
CREATE INDEX "watch_view_idx" ON "watch"("project_id", "enterprise_project_id", "due_at");

-- CreateIndex
CREATE INDEX "call_watched_idx" ON "call"("scan_task_id") WHERE (verdict_due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "call_phantom_idx" ON "call"("project_id", "id") WHERE (effect = 'phantom'::call_effect);

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "watch" SET (fillfactor = 70);
ALTER TABLE "running_list" SET (fillfactor = 70);
ALTER TABLE "retry_outcome" SET (fillfactor = 70);

-- What was accepted before this is watched as well.
INSERT INTO "watch" (scan_task_id, project_id, enterprise_project_id, priority, needed_at, due_at, since)
SELECT DISTINCT s.id, s.project_id, s.enterprise_project_id, 1, rescan_now(), rescan_now(), rescan_now()
  FROM "call" JOIN "scan_task" AS s ON s.id = "call".scan_task_id
 WHERE "call".verdict_due_at IS NOT NULL AND "call".state IN ('accepted', 'partly_accepted');
