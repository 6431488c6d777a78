import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { UnknownResolver } from '../calling/unknown-resolver.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { CallLedger, type CallFacts } from '../ledger/calls.js';
import { LookupLedger, type DueLookup, type LookedUp, type LookupProgress } from '../ledger/lookups.js';
import { crashPoint } from '../platform/crash-points.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { askedAlone, judge, onlyOf, type LookupPage } from './judge-lookup.js';
import type { ListCallAnswer } from './list-answer.js';
import { ListWorks, type ListJob, type ListWork, type ProjectDue } from './list-work.js';

/** A call is looked up by its clusters; one for a whole task, in the list of tasks. */
const lookedUpIn = ({ operation }: Lane): LookedUp => (operation === 'listTasks' ? 'task' : 'clusters');

/** What a page tells of an unknown call's clusters, or that the upstream cannot be read just now. */
@Injectable()
export class LookupReader implements ListWork, OnModuleInit {
  readonly purpose = 'lookup';

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly works: ListWorks,
    private readonly calls: CallLedger,
    private readonly lookups: LookupLedger,
    private readonly resolver: UnknownResolver,
  ) {}

  onModuleInit(): void {
    this.works.register(this);
  }

  async take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<ListJob | null> {
    const lookup = await this.lookups.takeDue(tx, lane.credential.projects, lookedUpIn(lane), now, leaseUntil);
    if (!lookup) return null;
    const clusters = lookup.offset < 0 ? await this.calls.clusters(tx, lookup.callId) : [];
    const asked = askedAlone(clusters, { lookupOffset: lookup.offset, lookupSeen: lookup.seen });
    const { taskId } = lookup;
    return {
      ...lookup,
      filter: asked?.clusterId ? { taskId, clusterId: asked.clusterId } : { taskId },
      apply: (inTx, answer) => this.apply(inTx, lookup, asked?.clusterId ?? null, answer),
    };
  }

  nextDueAt(tx: Tx, lane: Lane): Promise<Date | null> {
    return this.lookups.nextDueAt(tx, lane.credential.projects, lookedUpIn(lane));
  }

  async projectsDue(tx: Tx): Promise<ProjectDue[]> {
    const due = await this.lookups.projectsDue(tx);
    return due.map(({ projectId, of }) => ({
      projectId,
      operation: of === 'clusters' ? 'listTaskResources' : 'listTasks',
    }));
  }

  /** @param clusterId asked for by itself; null: a page of all */
  private async apply(
    tx: Tx,
    lookup: DueLookup,
    clusterId: string | null,
    { outcome, clockOffsetMs }: ListCallAnswer,
  ): Promise<string[]> {
    const call = await this.calls.facts(tx, lookup.callId);
    if (call?.state !== 'unknown' || !call.watched) return [];
    if (outcome.kind !== 'read') return this.notRead(tx, call);
    return this.read(tx, call, { lookup, clusterId }, outcome.page, clockOffsetMs ?? call.clockOffsetMs);
  }

  /** One page more; the last one decides, or the one on which the last cluster of the call is found. */
  private async read(
    tx: Tx,
    call: CallFacts,
    { lookup, clusterId }: { lookup: DueLookup; clusterId: string | null },
    page: LookupPage,
    clockOffsetMs: number,
  ): Promise<string[]> {
    const clusters = await this.calls.clusters(tx, call.id);
    // A page that comes late answers a question that another lookup has asked again, and perhaps another one than is asked now.
    const asked = askedAlone(clusters, call);
    if (lookup.offset !== call.lookupOffset || clusterId !== (asked?.clusterId ?? null)) return [];
    const progress = judge(call, clusters, onlyOf(lookup.taskId, page), clockOffsetMs);
    if (progress.complete) {
      const finished = (await this.resolver.resolve(tx, call, progress.taken)) ?? [];
      crashPoint('list.resolved');
      return finished;
    }
    if (progress.isStuck) return this.waitLonger(tx, call, progress);
    await this.lookups.keepProgress(tx, call.id, progress, call.now);
    return [];
  }

  /** Asked for again at once, those that tell nothing would use up the lane; so the longer it goes on, the longer the wait. */
  private async waitLonger(tx: Tx, call: CallFacts, progress: LookupProgress): Promise<string[]> {
    const { now, lookupUntil } = call;
    if (!lookupUntil || lookupUntil <= now) return (await this.resolver.giveUp(tx, call)) ?? [];
    const { backoff, giveUpAfterMs } = this.config.policy.lookup;
    const soFarMs = now.getTime() - (lookupUntil.getTime() - giveUpAfterMs);
    const waitMs = Math.min(backoff.capMs, Math.max(backoff.baseMs, soFarMs));
    await this.lookups.keepProgress(tx, call.id, progress, new Date(now.getTime() + waitMs));
    return [];
  }

  private async notRead(tx: Tx, call: CallFacts): Promise<string[]> {
    if (call.lookupUntil && call.lookupUntil <= call.now) return (await this.resolver.giveUp(tx, call)) ?? [];
    const tries = await this.lookups.failedTries(tx, call.id);
    const waitMs = backoffMs(tries, this.config.policy.lookup.backoff, Math.random);
    await this.lookups.postpone(tx, call.id, new Date(call.now.getTime() + waitMs));
    return [];
  }
}
