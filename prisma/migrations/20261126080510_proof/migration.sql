-- DropIndex
DROP INDEX "event_text_idx";

-- CreateTable
CREATE TABLE "seal_chain" (
    "project_id" TEXT NOT NULL,
    "seq" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,
    "head_seq" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "seal_chain_pkey" PRIMARY KEY ("project_id")
);

-- CreateTable
CREATE TABLE "seal_progress" (
    "id" SMALLINT NOT NULL DEFAULT 1,
    "tx" xid8 NOT NULL,
    "event_id" UUID NOT NULL,
    "server" TEXT NOT NULL,
    "walk_id" UUID,
    "heads_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "seal_progress_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "seal_head" (
    "id" UUID NOT NULL DEFAULT uuidv7(),
    "project_id" TEXT NOT NULL,
    "seq" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "key_id" TEXT,
    "signature" BYTEA,

    CONSTRAINT "seal_head_pkey" PRIMARY KEY ("id")
) PARTITION BY RANGE ("id");

-- CreateTable
CREATE TABLE "seal_key" (
    "id" TEXT NOT NULL,
    "public_key" TEXT NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT rescan_now(),

    CONSTRAINT "seal_key_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "seal_chain_headless_idx" ON "seal_chain"("project_id") WHERE (seq > head_seq);

-- CreateIndex
CREATE INDEX "seal_head_seq_idx" ON "seal_head"("project_id", "seq");

-- CreateIndex
CREATE INDEX "event_text_idx" ON "event"("text_hash", "id") WHERE (text_hash IS NOT NULL);

-- What Prisma does not know ------------------------------------------------------------------------------------------

ALTER TABLE "seal_progress" ADD CONSTRAINT "seal_progress_one_row" CHECK (id = 1);
-- A server without a name is another one: what is there already is sealed by a walk over all events.
INSERT INTO "seal_progress" (tx, event_id, server, heads_at) VALUES ('0', '00000000-0000-0000-0000-000000000000', '', '-infinity');

CREATE TABLE "seal_head_default" PARTITION OF "seal_head" DEFAULT;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "seal_head" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON "seal_head" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "seal_key" FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON "seal_key" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

SELECT ensure_partitions();

-- What stands in the place of a text that was redacted: it names the text and does not show it.
CREATE FUNCTION redaction_mark(said text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT '[redacted sha256:' || encode(text_hash(said), 'hex') || ']' $$;

-- A text as it may be stored. It holds the text's row until the commit: a redaction that begins meanwhile waits, and then finds what
-- was stored. It needs no lock of its own where the text was never on record.
CREATE FUNCTION unredacted(said text) RETURNS text LANGUAGE plpgsql VOLATILE STRICT AS $$
DECLARE
  is_redacted boolean;
BEGIN
  SELECT redacted_at IS NOT NULL INTO is_redacted FROM event_text WHERE hash = text_hash(said) FOR SHARE;
  RETURN CASE WHEN is_redacted THEN redaction_mark(said) ELSE said END;
END $$;

SELECT grant_service_role();
