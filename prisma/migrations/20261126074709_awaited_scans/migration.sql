-- AlterTable
ALTER TABLE "target" ADD COLUMN     "scan_seen_at" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "target_scan_idx" ON "target"("scan_task_id", "cluster_id", "scan_seen_at") WHERE (state = 'waiting'::target_state AND scan_seen_at IS NOT NULL);
