import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate } from '../domain/lane.js';
import { turnsOf, type ListPurpose } from '../domain/list-purpose.js';
import { CallLedger } from '../ledger/calls.js';
import { LaneLedger, type LaneReading } from '../ledger/lanes.js';
import { ListCallLedger } from '../ledger/list-calls.js';
import { ListingLedger, type DueListing, type ListLane } from '../ledger/listings.js';
import { LookupLedger, type DueLookup, type LookedUp } from '../ledger/lookups.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { processName } from '../platform/process-name.js';
import { askedAlone } from './judge.js';

/** What a list call is for. */
export type Subject =
  | {
      readonly purpose: 'lookup';
      readonly lookup: DueLookup;
      /** Asked for by itself; null: a page of all. */
      readonly clusterId: string | null;
    }
  | { readonly purpose: 'listing'; readonly listing: DueListing };

/** A list call whose row is committed, and that may be sent. */
export interface StartedList {
  readonly listId: string;
  readonly subject: Subject;
  readonly startedAt: Date;
  /** The upstream's clock at the start, as far as it was known. */
  readonly at: Date;
  readonly leasedAtMs: number;
}

export type ListTurn =
  | { readonly kind: 'started'; readonly started: StartedList }
  | { readonly kind: 'nothing'; readonly now: Date; readonly nextLookAt: Date | null };

/** A call for clusters is looked up in the task's resources; one for a whole task, in the list of tasks. */
const lookedUpIn = ({ operation }: Lane): LookedUp => (operation === 'listTasks' ? 'task' : 'clusters');
/** The counts of a scan task stand in the list of tasks, its clusters in its resources. */
const stepIn = ({ operation }: Lane): DueListing['step'] => (operation === 'listTasks' ? 'counts' : 'clusters');

const readerOf = ({ credential }: Lane): ListLane => ({ credential: credential.name, projects: credential.projects });

/** Takes a slot of a list lane for whoever's turn it is. */
@Injectable()
export class ListStarter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly lanes: LaneLedger,
    private readonly lists: ListCallLedger,
    private readonly lookups: LookupLedger,
    private readonly listings: ListingLedger,
    private readonly calls: CallLedger,
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
      const subject = await this.take(tx, lane, now, leaseUntil);
      crashPoint('lookup.taken');
      if (!subject) return { kind: 'nothing', now, nextLookAt: await this.nextDueAt(tx, lane) };
      await this.write(tx, lane, reading, subject, leaseUntil);
      const at = new Date(now.getTime() + reading.clockOffsetMs);
      return { kind: 'started', started: { listId: reading.callId, subject, startedAt: now, at, leasedAtMs } };
    });
  }

  private async take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<Subject | null> {
    for (const purpose of turnsOf(await this.lists.recentPurposes(tx, lane.id, now))) {
      const subject = await this.takeOne(tx, lane, purpose, now, leaseUntil);
      if (subject) return subject;
    }
    return null;
  }

  private async takeOne(
    tx: Tx,
    lane: Lane,
    purpose: ListPurpose,
    now: Date,
    leaseUntil: Date,
  ): Promise<Subject | null> {
    const { projects } = lane.credential;
    if (purpose === 'listing') {
      const listing = await this.listings.takeDue(tx, readerOf(lane), stepIn(lane), now, leaseUntil);
      return listing && { purpose, listing };
    }
    const lookup = await this.lookups.takeDue(tx, projects, lookedUpIn(lane), now, leaseUntil);
    if (!lookup) return null;
    const clusters = lookup.offset < 0 ? await this.calls.clusters(tx, lookup.callId) : [];
    const asked = askedAlone(clusters, { lookupOffset: lookup.offset, lookupSeen: lookup.seen });
    return { purpose, lookup, clusterId: asked?.clusterId ?? null };
  }

  private async nextDueAt(tx: Tx, lane: Lane): Promise<Date | null> {
    const { projects } = lane.credential;
    const lookup = await this.lookups.nextDueAt(tx, projects, lookedUpIn(lane));
    const listing = await this.listings.nextDueAt(tx, readerOf(lane), stepIn(lane));
    return lookup && listing ? new Date(Math.min(lookup.getTime(), listing.getTime())) : (lookup ?? listing);
  }

  private write(tx: Tx, lane: Lane, reading: LaneReading, subject: Subject, leaseUntil: Date): Promise<void> {
    const { scanTaskId, projectId, offset } = subject.purpose === 'lookup' ? subject.lookup : subject.listing;
    return this.lists.insert(tx, {
      id: reading.callId,
      laneId: lane.id,
      credential: lane.credential.name,
      purpose: subject.purpose,
      scanTaskId,
      projectId,
      callId: subject.purpose === 'lookup' ? subject.lookup.callId : null,
      offset,
      startedAt: reading.situation.now,
      leaseUntil,
      worker: processName,
    });
  }
}
