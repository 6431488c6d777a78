import { Injectable } from '@nestjs/common';
import type { SealHead } from '../domain/seal-head.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ChainEnd } from './seals.js';

/** Heads of the chains: where each ended, signed, at fixed times. */
@Injectable()
export class SealHeadLedger {
  /**
   * Takes the turn to publish heads, and the sealing with it, so that no chain moves meanwhile.
   * @returns the time; null where it is not time yet, or somebody else has them in hand
   */
  async takeTurn(tx: Tx, intervalMs: number): Promise<Date | null> {
    const [turn] = await tx.$queryRaw<{ now: Date }[]>`
      SELECT (SELECT rescan_now()) AS now FROM seal_progress
       WHERE heads_at <= (SELECT rescan_now()) - ${intervalMs}::float8 * interval '1 ms' FOR UPDATE SKIP LOCKED`;
    return turn?.now ?? null;
  }

  async endTurn(tx: Tx, now: Date): Promise<void> {
    await tx.$executeRaw`UPDATE seal_progress SET heads_at = ${now}::timestamptz`;
  }

  /** Chains that have grown since their last head. */
  async headless(tx: Tx, limit: number): Promise<ChainEnd[]> {
    const rows = await tx.$queryRaw<{ projectId: string; seq: bigint; hash: string }[]>`
      SELECT project_id AS "projectId", seq, encode(hash, 'hex') AS hash FROM seal_chain
       WHERE seq > head_seq ORDER BY project_id LIMIT ${limit}::int`;
    return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
  }

  async publish(tx: Tx, heads: readonly SealHead[]): Promise<void> {
    const given = heads.map(({ signature, ...head }) => ({ ...head, signature: signature ?? '' }));
    await tx.$executeRaw`
      WITH head AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
               AS head ("projectId" text, seq bigint, hash text, at timestamptz, "keyId" text, signature text)),
      stored AS (
        INSERT INTO seal_head (project_id, seq, hash, at, key_id, signature)
        SELECT "projectId", seq, decode(hash, 'hex'), at, "keyId", nullif(decode(signature, 'base64'), '') FROM head)
      UPDATE seal_chain AS c SET head_seq = head.seq FROM head WHERE c.project_id = head."projectId"`;
  }

  /** Public keys stay, so that heads of a key that was changed can still be checked. */
  async keepKey(tx: Tx, id: string, publicKey: string): Promise<void> {
    await tx.$executeRaw`INSERT INTO seal_key (id, public_key) VALUES (${id}, ${publicKey}) ON CONFLICT DO NOTHING`;
  }
}
