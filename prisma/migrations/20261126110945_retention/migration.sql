-- AlterTable
ALTER TABLE "seal_chain" ADD COLUMN     "base_hash" BYTEA,
ADD COLUMN     "base_seq" BIGINT NOT NULL DEFAULT 0;

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "seal_chain" ADD CONSTRAINT "seal_chain_base" CHECK (base_seq = 0 OR (base_hash IS NOT NULL AND base_seq <= seq));
