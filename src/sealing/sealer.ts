import { Injectable } from '@nestjs/common';
import { eventFields } from '../domain/sealed-event.js';
import { RollupLedger } from '../ledger/rollups.js';
import { SealLedger, type ChainEnd, type Seal, type SealProgress, type UnsealedEvent } from '../ledger/seals.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { chainHash, chainStart } from './chain.js';

/** What one transaction reads, hashes and seals, and all that is held in memory; fewer, where they are large. */
export const SEAL_BATCH = 1_000;

/** Appends events to the chains of their projects and counts what they tell, in batches: each of them all or nothing. No writer of events waits for it. */
@Injectable()
export class Sealer {
  constructor(
    private readonly prisma: PrismaService,
    private readonly ledger: SealLedger,
    private readonly rollups: RollupLedger,
  ) {}

  /** @returns whether more is to be sealed at once; false also where another process seals just now */
  async sealBatch(limit = SEAL_BATCH): Promise<boolean> {
    const isMore = await this.prisma.transact(async (tx) => {
      const at = await this.ledger.take(tx);
      if (!at) return false;
      return at.walkId === null ? this.goOn(tx, at, limit) : this.walkOn(tx, at, at.walkId, limit);
    });
    crashPoint('seal.committed');
    return isMore;
  }

  private async goOn(tx: Tx, at: SealProgress, limit: number): Promise<boolean> {
    const { events, isFull } = await this.ledger.next(tx, at, limit);
    const last = events.at(-1);
    if (!last) return false;
    await this.seal(tx, events);
    await this.ledger.advance(tx, { tx: last.tx, eventId: last.id, walkId: null });
    return isFull;
  }

  private async walkOn(tx: Tx, at: SealProgress, walkId: string, limit: number): Promise<boolean> {
    const { events, isFull } = await this.ledger.walk(tx, walkId, limit);
    await this.seal(tx, events);
    await this.ledger.advance(tx, { ...at, walkId: isFull ? (events.at(-1)?.id ?? null) : null });
    return true;
  }

  private async seal(tx: Tx, events: readonly UnsealedEvent[]): Promise<void> {
    const open = events.filter(({ isSealed }) => !isSealed);
    if (open.length === 0) return;
    const projects = [...new Set(open.map(({ projectId }) => projectId ?? ''))];
    const ends = new Map((await this.ledger.chainEnds(tx, projects)).map((end) => [end.projectId, end]));
    const seals = open.map((event) => chained(event, ends));
    await this.ledger.append(tx, seals, [...ends.values()]);
    await this.rollups.add(
      tx,
      open.map(({ id }) => id),
    );
    crashPoint('seal.written');
  }
}

/** Moves the end of its chain on. */
function chained(event: UnsealedEvent, ends: Map<string, ChainEnd>): Seal {
  const { isSealed: _, ...row } = event;
  const projectId = row.projectId ?? '';
  const end = ends.get(projectId) ?? { seq: 0, hash: chainStart(projectId) };
  const seal = { projectId, seq: end.seq + 1, eventId: row.id, hash: chainHash(end.hash, eventFields(row)) };
  ends.set(projectId, seal);
  return seal;
}
