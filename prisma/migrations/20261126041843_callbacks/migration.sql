-- CreateEnum
CREATE TYPE "callback_state" AS ENUM ('waiting', 'pending', 'delivered', 'given_up');

-- CreateTable
CREATE TABLE "callback" (
    "request_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "state" "callback_state" NOT NULL DEFAULT 'waiting',
    "due_at" TIMESTAMPTZ(3),
    "tries" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "callback_pkey" PRIMARY KEY ("request_id")
);

-- CreateTable
CREATE TABLE "callback_try" (
    "request_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "http_status" SMALLINT,
    "error_code" TEXT,
    "duration_ms" INTEGER,
    "worker" TEXT NOT NULL,

    CONSTRAINT "callback_try_pkey" PRIMARY KEY ("request_id","number")
);

-- CreateIndex
CREATE INDEX "callback_due_idx" ON "callback"("due_at") WHERE (due_at IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "callback" ADD CONSTRAINT "callback_state_data"
  CHECK ((state = 'pending') = (due_at IS NOT NULL) AND (state IN ('delivered', 'given_up')) = (finished_at IS NOT NULL));
ALTER TABLE "callback_try" ADD CONSTRAINT "callback_try_end" CHECK (finished_at IS NOT NULL OR (http_status IS NULL AND error_code IS NULL));
ALTER TABLE "callback" SET (fillfactor = 70);
ALTER TABLE "callback_try" SET (fillfactor = 70);
