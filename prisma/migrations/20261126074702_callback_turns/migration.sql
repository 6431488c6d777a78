-- AlterTable: a process of before, which knows no caller here, goes on during a rolling release.
ALTER TABLE "callback" ADD COLUMN     "caller" TEXT NOT NULL DEFAULT '';
UPDATE "callback" AS c SET "caller" = r."caller" FROM "request" AS r WHERE r."id" = c."request_id";

-- CreateIndex
CREATE INDEX "callback_turn_idx" ON "callback"("caller", "origin", "due_at") WHERE (due_at IS NOT NULL);
