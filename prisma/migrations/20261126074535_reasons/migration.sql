-- AlterTable
ALTER TABLE "cluster_scan" ADD COLUMN     "read_at" TIMESTAMPTZ(3),
ADD COLUMN     "reasons" JSONB;

-- AlterTable
ALTER TABLE "fire_cluster" ADD COLUMN     "reasons" JSONB;
