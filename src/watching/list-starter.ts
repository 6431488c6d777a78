import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate } from '../domain/lane.js';
import { LIST_PURPOSES, turnsOf, type ListPurpose } from '../domain/list-purpose.js';
import { LaneLedger } from '../ledger/lanes.js';
import { ListCallLedger } from '../ledger/list-calls.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { processName } from '../platform/process-name.js';
import { ListWorks, type ListJob } from './list-work.js';

/** A list call whose row is committed, and that may be sent. */
export interface StartedList {
  readonly listId: string;
  readonly purpose: ListPurpose;
  readonly job: ListJob;
  readonly startedAt: Date;
  /** The upstream's clock at the start, as far as it was known. */
  readonly at: Date;
  readonly leasedAtMs: number;
}

export type ListTurn =
  | { readonly kind: 'started'; readonly started: StartedList }
  | { readonly kind: 'nothing'; readonly now: Date; readonly nextLookAt: Date | null };

/** Takes a slot of a list lane for whoever's turn it is. */
@Injectable()
export class ListStarter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly lanes: LaneLedger,
    private readonly lists: ListCallLedger,
    private readonly works: ListWorks,
  ) {}

  start(lane: Lane): Promise<ListTurn> {
    const leasedAtMs = this.clock.monotonicMs();
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, lane.id);
      const reading = await this.lanes.read(tx, lane.id);
      const { now, credential } = reading.situation;
      const gate = laneGate(reading.situation);
      if (!gate.open) return { kind: 'nothing', now, nextLookAt: gate.until };
      const { name } = lane.credential;
      if (!credential.confirmed && (await this.lanes.lockCredential(tx, name)).sending > 0) {
        return { kind: 'nothing', now, nextLookAt: null };
      }
      const leaseUntil = new Date(now.getTime() + lane.credential.timeoutMs + this.config.policy.leaseMarginMs);
      const taken = await this.take(tx, lane, now, leaseUntil);
      crashPoint('list.taken');
      if (!taken) return { kind: 'nothing', now, nextLookAt: await this.nextDueAt(tx, lane, now) };
      const listId = reading.callId;
      await this.write(tx, lane, { id: listId, startedAt: now, leaseUntil }, taken);
      const at = new Date(now.getTime() + reading.clockOffsetMs);
      return { kind: 'started', started: { listId, ...taken, startedAt: now, at, leasedAtMs } };
    });
  }

  private async take(
    tx: Tx,
    lane: Lane,
    now: Date,
    leaseUntil: Date,
  ): Promise<Pick<StartedList, 'purpose' | 'job'> | null> {
    for (const purpose of turnsOf(await this.lists.recentPurposes(tx, lane.id, now))) {
      const job = await this.works.get(purpose)?.take(tx, lane, now, leaseUntil);
      if (job) return { purpose, job };
    }
    return null;
  }

  private async nextDueAt(tx: Tx, lane: Lane, now: Date): Promise<Date | null> {
    let next: Date | null = null;
    for (const purpose of LIST_PURPOSES) {
      const at = await this.works.get(purpose)?.nextDueAt(tx, lane, now);
      if (at && (!next || at < next)) next = at;
    }
    return next;
  }

  private write(
    tx: Tx,
    lane: Lane,
    born: { id: string; startedAt: Date; leaseUntil: Date },
    { purpose, job }: Pick<StartedList, 'purpose' | 'job'>,
  ): Promise<void> {
    const { scanTaskId, projectId, callId, offset } = job;
    const { id: laneId, credential } = lane;
    const what = { purpose, scanTaskId, projectId, callId, offset };
    return this.lists.insert(tx, { ...born, ...what, laneId, credential: credential.name, worker: processName });
  }
}
