import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { laneGate } from '../domain/lane.js';
import type { RequestRange } from '../domain/request.js';
import { CallLedger } from '../ledger/calls.js';
import { LaneLedger } from '../ledger/lanes.js';
import { LookupLedger, type DueLookup } from '../ledger/lookups.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { processName } from '../platform/process-name.js';
import { askedAlone } from './judge.js';

/** A list call whose row is committed, and that may be sent. */
export interface StartedLookup {
  readonly listId: string;
  readonly lookup: DueLookup;
  /** Asked for by itself; null: a page of all. */
  readonly clusterId: string | null;
  readonly startedAt: Date;
  /** The upstream's clock at the start, as far as it was known. */
  readonly at: Date;
  readonly leasedAtMs: number;
}

export type LookupTurn =
  | { readonly kind: 'started'; readonly started: StartedLookup }
  | { readonly kind: 'nothing'; readonly now: Date; readonly nextLookAt: Date | null };

/** A call for clusters is looked up in the task's resources; one for a whole task, in the list of tasks. */
export const rangeOf = (lane: Lane): RequestRange =>
  lane.operation === 'listTaskResources' ? 'specific_cluster' : 'all_failed_cluster';

/** Takes a slot of a list lane for the unknown call that has waited longest to be looked up. */
@Injectable()
export class LookupStarter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly lanes: LaneLedger,
    private readonly lookups: LookupLedger,
    private readonly calls: CallLedger,
  ) {}

  start(lane: Lane): Promise<LookupTurn> {
    const leasedAtMs = this.clock.monotonicMs();
    const { name: credential, projects, timeoutMs } = lane.credential;
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, lane.id);
      const { callId: id, situation, clockOffsetMs } = await this.lanes.read(tx, lane.id);
      const { now } = situation;
      const gate = laneGate(situation);
      if (!gate.open) return { kind: 'nothing', now, nextLookAt: gate.until };
      if (!situation.credential.confirmed && (await this.lanes.lockCredential(tx, credential)).sending > 0) {
        return { kind: 'nothing', now, nextLookAt: null };
      }
      const leaseUntil = new Date(now.getTime() + timeoutMs + this.config.policy.leaseMarginMs);
      const range = rangeOf(lane);
      const lookup = await this.lookups.takeDue(tx, projects, range, now, leaseUntil);
      crashPoint('lookup.taken');
      if (!lookup) return { kind: 'nothing', now, nextLookAt: await this.lookups.nextDueAt(tx, projects, range) };
      const worker = processName;
      await this.lookups.insertListCall(tx, {
        id,
        laneId: lane.id,
        credential,
        lookup,
        startedAt: now,
        leaseUntil,
        worker,
      });
      const at = new Date(now.getTime() + clockOffsetMs);
      const clusters = lookup.offset < 0 ? await this.calls.clusters(tx, lookup.callId) : [];
      const asked = askedAlone(clusters, { lookupOffset: lookup.offset, lookupSeen: lookup.seen });
      const clusterId = asked?.clusterId ?? null;
      return { kind: 'started', started: { listId: id, lookup, clusterId, startedAt: now, at, leasedAtMs } };
    });
  }
}
