-- AlterTable
ALTER TABLE "callback" ADD COLUMN     "caller" TEXT;
UPDATE "callback" AS c SET "caller" = r."caller" FROM "request" AS r WHERE r."id" = c."request_id";
ALTER TABLE "callback" ALTER COLUMN "caller" SET NOT NULL;

-- CreateIndex
CREATE INDEX "callback_turn_idx" ON "callback"("caller", "origin", "due_at") WHERE (due_at IS NOT NULL);
