import { Inject, Injectable, Logger } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import type { SealHead } from '../domain/seal-head.js';
import { SealHeadLedger } from '../ledger/seal-heads.js';
import type { ChainEnd } from '../ledger/seals.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { HeadSigner } from './head-signature.js';

const BATCH = 1_000;

/** At fixed times, one process of all says of each chain that has grown where it ends, and signs it. */
@Injectable()
export class HeadPublisher {
  private readonly signer: HeadSigner | null;

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly heads: SealHeadLedger,
  ) {
    const { signingKey } = config.audit;
    this.signer = signingKey && new HeadSigner(signingKey.reveal());
    if (!this.signer) {
      const msg = 'heads of the audit chains are unsigned: whoever can write to the database can forge them';
      new Logger(HeadPublisher.name).warn({ msg, remedy: 'set AUDIT_SIGNING_KEY_FILE' });
    }
  }

  async publishIfDue(): Promise<void> {
    while (await this.publishBatch());
  }

  /** @returns whether more are due */
  private publishBatch(): Promise<boolean> {
    return this.prisma.transact(async (tx) => {
      const now = await this.heads.takeTurn(tx, this.config.audit.headIntervalMs);
      if (!now) return false;
      const ends = await this.heads.headless(tx, BATCH);
      if (this.signer && ends.length > 0) await this.heads.keepKey(tx, this.signer.keyId, this.signer.publicKey);
      await this.heads.publish(
        tx,
        ends.map((end) => this.headOf(end, now)),
      );
      // The turn goes on for the rest.
      if (ends.length < BATCH) await this.heads.endTurn(tx, now);
      return ends.length === BATCH;
    });
  }

  private headOf({ projectId, seq, hash }: ChainEnd, now: Date): SealHead {
    const statement = { projectId, seq, hash, at: now.toISOString() };
    return this.signer?.sign(statement) ?? { ...statement, keyId: null, signature: null };
  }
}
