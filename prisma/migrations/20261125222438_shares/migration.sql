-- DropIndex
DROP INDEX "request_due_idx";

-- AlterTable
ALTER TABLE "lane" ADD COLUMN     "virtual_time" DOUBLE PRECISION NOT NULL DEFAULT 0;

-- CreateTable
CREATE TABLE "lane_share" (
    "lane_id" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "weight" DOUBLE PRECISION NOT NULL DEFAULT 1,
    "served" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "urgent_served" DOUBLE PRECISION NOT NULL DEFAULT 0,

    CONSTRAINT "lane_share_pkey" PRIMARY KEY ("lane_id","caller")
);

-- CreateIndex
CREATE INDEX "request_head_idx" ON "request"("project_id", "caller", "priority", "next_due_at", "id") WHERE (waiting > 0);

-- CreateIndex
CREATE INDEX "request_deadline_idx" ON "request"("project_id", "caller", "priority", "deadline", "id") WHERE (waiting > 0 AND deadline IS NOT NULL);
