-- AlterTable
ALTER TABLE "request" ADD COLUMN     "accepted_at" TIMESTAMPTZ(3),
ADD COLUMN     "promised" JSONB;

-- CreateIndex
CREATE INDEX "request_accepted_idx" ON "request"("accepted_at") WHERE (accepted_at IS NOT NULL);
