-- CreateEnum
CREATE TYPE "rollup_kind" AS ENUM ('call', 'call_of_caller', 'target');

-- CreateEnum
CREATE TYPE "rollup_span" AS ENUM ('accepted', 'verdict');

-- CreateTable
CREATE TABLE "rollup" (
    "project_id" TEXT NOT NULL,
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "kind" "rollup_kind" NOT NULL,
    "task_id" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "clusters" INTEGER NOT NULL DEFAULT 0,
    "calls" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "rollup_pkey" PRIMARY KEY ("project_id","hour","kind","task_id","caller","state","code")
);

-- CreateTable
CREATE TABLE "rollup_time" (
    "project_id" TEXT NOT NULL,
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "span" "rollup_span" NOT NULL,
    "task_id" TEXT NOT NULL,
    "caller" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "bucket" SMALLINT NOT NULL,
    "count" INTEGER NOT NULL,

    CONSTRAINT "rollup_time_pkey" PRIMARY KEY ("project_id","hour","span","task_id","caller","state","code","bucket")
);

-- CreateIndex
CREATE INDEX "rollup_hour_idx" ON "rollup"("hour");

-- CreateIndex
CREATE INDEX "rollup_time_hour_idx" ON "rollup_time"("hour");
