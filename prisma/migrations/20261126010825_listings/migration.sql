-- CreateEnum
CREATE TYPE "list_purpose" AS ENUM ('lookup', 'listing');

-- CreateEnum
CREATE TYPE "listing_step" AS ENUM ('counts', 'clusters', 'complete', 'given_up');

-- AlterTable
ALTER TABLE "list_call" ADD COLUMN     "purpose" "list_purpose" NOT NULL DEFAULT 'lookup';

-- CreateTable
CREATE TABLE "listing" (
    "scan_task_id" BIGINT NOT NULL,
    "project_id" TEXT NOT NULL,
    "step" "listing_step" NOT NULL DEFAULT 'counts',
    "wanted_at" TIMESTAMPTZ(3) NOT NULL,
    "credential" TEXT,
    "began_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "held_since" TIMESTAMPTZ(3),
    "hold_until" TIMESTAMPTZ(3),
    "failed_only" BOOLEAN NOT NULL DEFAULT false,
    "expected" INTEGER NOT NULL DEFAULT 0,
    "offset" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER,
    "idle" BOOLEAN NOT NULL DEFAULT false,
    "worth_from" INTEGER,
    "restarts" SMALLINT NOT NULL DEFAULT 0,
    "failures" SMALLINT NOT NULL DEFAULT 0,
    "exact" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "listing_pkey" PRIMARY KEY ("scan_task_id")
);

-- CreateTable
CREATE TABLE "listed_cluster" (
    "scan_task_id" BIGINT NOT NULL,
    "cluster_id" TEXT NOT NULL,
    "scan_status" TEXT,
    "failed_types" SMALLINT NOT NULL,
    "start_time" TIMESTAMPTZ(3),
    "end_time" TIMESTAMPTZ(3),

    CONSTRAINT "listed_cluster_pkey" PRIMARY KEY ("scan_task_id","cluster_id")
);

-- CreateIndex
CREATE INDEX "listing_due_idx" ON "listing"("due_at") WHERE (due_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "listing_hold_idx" ON "listing"("hold_until") WHERE (hold_until IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "listing" ADD CONSTRAINT "listing_step_data" CHECK ((step IN ('complete', 'given_up')) = (due_at IS NULL));
ALTER TABLE "listing" ADD CONSTRAINT "listing_exact_data" CHECK (NOT exact OR step = 'complete');
ALTER TABLE "listing" SET (fillfactor = 70);
ALTER TABLE "listed_cluster" SET (fillfactor = 70);
