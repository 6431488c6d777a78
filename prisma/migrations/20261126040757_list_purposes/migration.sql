-- AlterEnum
-- This migration adds more than one value to an enum.
-- With PostgreSQL versions 11 and earlier, this is not possible
-- in a single migration. This can be worked around by creating
-- multiple migrations, each migration adding only one value to
-- the enum.


ALTER TYPE "list_purpose" ADD VALUE 'verdict';
ALTER TYPE "list_purpose" ADD VALUE 'schedule';

-- AlterTable
ALTER TABLE "list_call" ALTER COLUMN "scan_task_id" DROP NOT NULL;
