import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { TargetSettler } from '../calling/target-settler.js';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { sinceSending } from '../domain/fate.js';
import { afterPage, planListing, type TaskCounts } from '../domain/listing.js';
import { toMask } from '../domain/scan-type.js';
import { failedReasons } from '../domain/verdict.js';
import { AwaitedScanLedger } from '../ledger/awaited-scans.js';
import { CallLedger } from '../ledger/calls.js';
import { applyMoves, lockRequests } from '../ledger/counts.js';
import { ListedLedger } from '../ledger/listed.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { ListingLedger, type DueListing, type Hold, type ListedCluster } from '../ledger/listings.js';
import { WatchLedger } from '../ledger/watches.js';
import { crashPoint } from '../platform/crash-points.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import type { ClusterScan, ListPage, TaskSummary } from '../upstream/scan-tasks.js';
import type { LookupPage } from './judge-lookup.js';
import type { ListCallAnswer } from './list-answer.js';
import { ListWorks, readerOf, type ListJob, type ListWork, type ProjectDue } from './list-work.js';

/** A list that changes all the time is not waited for. */
const MAX_RESTARTS = 2;
const MAX_FAILURES = 5;

/** The counts of a scan task stand in the list of tasks, its clusters in its resources. */
const stepIn = ({ operation }: Lane): DueListing['step'] => (operation === 'listTasks' ? 'counts' : 'clusters');

/** Reads a scan task page by page, and lets what is found take effect at the end. */
@Injectable()
export class ListingReader implements ListWork, OnModuleInit {
  readonly purpose = 'listing';

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly works: ListWorks,
    private readonly listings: ListingLedger,
    private readonly wishes: ListingWishes,
    private readonly listed: ListedLedger,
    private readonly scans: AwaitedScanLedger,
    private readonly watches: WatchLedger,
    private readonly calls: CallLedger,
    private readonly targets: TargetSettler,
  ) {}

  onModuleInit(): void {
    this.works.register(this);
  }

  async take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<ListJob | null> {
    const listing = await this.listings.takeDue(tx, readerOf(lane), stepIn(lane), now, leaseUntil);
    if (!listing) return null;
    const { taskId, step, failedOnly } = listing;
    const next = step === 'counts' ? (['listTaskResources', 'retryTask'] as const) : (['retryTask'] as const);
    return {
      ...listing,
      callId: null,
      filter: failedOnly && step === 'clusters' ? { taskId, scanStatus: 'failed' } : { taskId },
      apply: (inTx, answer, at) => this.apply(inTx, lane, listing, answer, at),
      dueAfter: ({ outcome }) => (outcome.kind === 'read' && outcome.page.nextOffset === null ? next : []),
    };
  }

  nextDueAt(tx: Tx, lane: Lane): Promise<Date | null> {
    return this.listings.nextDueAt(tx, readerOf(lane), stepIn(lane));
  }

  async projectsDue(tx: Tx): Promise<ProjectDue[]> {
    const due = await this.listings.projectsDue(tx);
    return due.map(({ projectId, step }) => ({
      projectId,
      operation: step === 'clusters' ? 'listTaskResources' : 'listTasks',
    }));
  }

  private async apply(
    tx: Tx,
    lane: Lane,
    listing: DueListing,
    { outcome }: ListCallAnswer,
    now: Date,
  ): Promise<string[]> {
    if (!(await this.listings.isNext(tx, listing))) return [];
    if (outcome.kind !== 'read') {
      await this.notRead(tx, listing, now);
      return [];
    }
    return listing.step === 'counts'
      ? this.plan(tx, lane, listing, countsOf(listing, outcome.page), now)
      : this.read(tx, lane, listing, outcome.page as ListPage<ClusterScan>, now);
  }

  private async plan(tx: Tx, lane: Lane, listing: DueListing, counts: TaskCounts | null, now: Date): Promise<string[]> {
    const { scanTaskId } = listing;
    const plan = counts && planListing(counts, await this.wishes.wish(tx, scanTaskId));
    if (!plan || plan.kind === 'give_up') {
      await this.listings.giveUp(tx, scanTaskId, plan?.worthFrom ?? null);
      return [];
    }
    if (plan.kind === 'nothing_failed') {
      await this.listings.completeEmpty(tx, scanTaskId, now);
      return this.takeEffect(tx, listing, now);
    }
    await this.listings.beginClusters(tx, scanTaskId, counts, plan, this.hold(lane, now));
    return [];
  }

  private async read(
    tx: Tx,
    lane: Lane,
    listing: DueListing,
    page: ListPage<ClusterScan>,
    now: Date,
  ): Promise<string[]> {
    const { scanTaskId } = listing;
    await this.listings.keepRows(tx, scanTaskId, page.rows.map(toListed));
    const step = afterPage(listing, page);
    if (step.kind === 'next') {
      await this.listings.goOn(tx, scanTaskId, step.offset, this.hold(lane, now));
      return [];
    }
    if (step.kind === 'last' && (await this.listings.complete(tx, listing, now))) {
      return this.takeEffect(tx, listing, now);
    }
    if (listing.restarts < MAX_RESTARTS) await this.listings.restart(tx, scanTaskId, now);
    else await this.listings.giveUp(tx, scanTaskId, null);
    return [];
  }

  /** Once it is complete: of targets that wait, those for the whole task become single ones, and others end, or wait for a scan. */
  private async takeEffect(
    tx: Tx,
    { scanTaskId, beganAt, failedOnly, step }: DueListing,
    now: Date,
  ): Promise<string[]> {
    const moves = await this.listed.resolveWaiting(tx, scanTaskId, beganAt, now);
    const knowsAll = step === 'clusters' && !failedOnly;
    if (knowsAll) {
      const { verdictTimeoutMs: atMostMs, listing } = this.config.policy;
      moves.push(...(await this.listed.endNeedless(tx, scanTaskId, beganAt)));
      moves.push(...(await this.scans.await(tx, scanTaskId, beganAt, { now, atMostMs, spareMs: listing.keepMs })));
    }
    await lockRequests(tx, [...new Set(moves.map(({ requestId }) => requestId))]);
    const finished = await applyMoves(tx, moves);
    if (knowsAll) finished.push(...(await this.resolveAccepted(tx, scanTaskId, beganAt)));
    await this.listAgain(tx, scanTaskId, now);
    await this.watches.beginForScans(tx, scanTaskId, now, this.config.policy.verdict.poll);
    crashPoint('list.resolved');
    return finished;
  }

  private async resolveAccepted(tx: Tx, scanTaskId: bigint, beganAt: Date): Promise<string[]> {
    const finished: string[] = [];
    // Sooner, its effect need not show.
    const before = new Date(beganAt.getTime() - this.config.policy.lookup.graceMs);
    for (const id of await this.listed.unresolvedCalls(tx, scanTaskId, before)) {
      const call = await this.calls.facts(tx, id);
      if (!call) continue;
      const sentAt = sinceSending(new Date(call.startedAt.getTime() + call.clockOffsetMs));
      if ((await this.listed.resolveAccepted(tx, id, scanTaskId, sentAt)) > 0) {
        finished.push(...(await this.targets.clustersNamed(tx, call)));
        continue;
      }
      const reason = { code: 'not_listed_as_failed', text: 'HSS listed no cluster that the call could have scanned.' };
      if (!(await this.calls.leaveWatch(tx, id))) continue;
      finished.push(...(await this.targets.end(tx, call, { result: 'not_failed', reason })));
    }
    return finished;
  }

  /** Of requests that came, and calls that were accepted, while this one was being read, it told nothing. */
  private async listAgain(tx: Tx, scanTaskId: bigint, now: Date): Promise<void> {
    const { wholeTask, accepted } = await this.wishes.wish(tx, scanTaskId);
    const { listing, lookup } = this.config.policy;
    const { keepMs } = listing;
    if (wholeTask) await this.wishes.want(tx, scanTaskId, { now, ...listing, anew: true });
    const dueAt = new Date(now.getTime() + lookup.graceMs);
    if (!wholeTask && accepted) await this.wishes.want(tx, scanTaskId, { now, dueAt, keepMs, holdMs: 0, anew: true });
  }

  private async notRead(tx: Tx, { scanTaskId, failures }: DueListing, now: Date): Promise<void> {
    if (failures >= MAX_FAILURES) return this.listings.giveUp(tx, scanTaskId, null);
    const waitMs = backoffMs(failures + 1, this.config.policy.lookup.backoff, Math.random);
    return this.listings.postpone(tx, scanTaskId, new Date(now.getTime() + waitMs));
  }

  /** Each page shows that the lane works: the next one is waited for as well, which may need a window for its slot. */
  private hold({ limit }: Lane, now: Date): Hold {
    const { holdMs, keepMs } = this.config.policy.listing;
    return { now, until: new Date(now.getTime() + limit.windowMs + holdMs), atMostMs: keepMs };
  }
}

/** Null where the list of tasks does not tell them for sure. */
function countsOf({ taskId }: DueListing, page: LookupPage): TaskCounts | null {
  const task = (page.rows as readonly TaskSummary[]).find((row) => row.taskId === taskId);
  if (!task) return null;
  const { failedClusters: failed, successClusters: success, scanningClusters: scanning, taskStatus } = task;
  if (failed === null || success === null || scanning === null) return null;
  return { failed, success, scanning, idle: scanning === 0 && taskStatus === 'finished' };
}

function toListed({ clusterId, scanStatus, startTime, endTime, items }: ClusterScan): ListedCluster {
  const failed = items.filter(({ status }) => status === 'failed').map(({ scanType }) => scanType);
  const known = failed.filter((type) => type !== null);
  // An item in a state that we do not know may have failed as well.
  const isKnown = known.length === failed.length && items.every(({ status }) => status !== null);
  const failedTypes = isKnown ? toMask(known) : 0;
  return { clusterId, scanStatus, failedTypes, reasons: failedReasons(items), startTime, endTime };
}
