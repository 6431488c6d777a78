-- AlterTable
ALTER TABLE "lane" ADD COLUMN     "calls_by_operator" INTEGER,
ADD COLUMN     "learned_at" TIMESTAMPTZ(3),
ADD COLUMN     "learned_calls" INTEGER,
ADD COLUMN     "quiet_since" TIMESTAMPTZ(3);
