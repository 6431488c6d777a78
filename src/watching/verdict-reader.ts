import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { backoffMs } from '../domain/backoff.js';
import { afterVerdictPage, MAX_ALONE, untilNextLookMs } from '../domain/verdict-pass.js';
import { AwaitedScanLedger } from '../ledger/awaited-scans.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { applyMoves, lockRequests, type Move } from '../ledger/counts.js';
import { ReleasingLedger } from '../ledger/releasing.js';
import { RetryOutcomeLedger } from '../ledger/retry-outcomes.js';
import { VerdictLedger, type Told } from '../ledger/verdicts.js';
import { WatchPassLedger } from '../ledger/watch-passes.js';
import { WatchLedger, type DueWatch } from '../ledger/watches.js';
import { crashPoint } from '../platform/crash-points.js';
import type { Tx } from '../platform/prisma/prisma.service.js';
import { Metrics } from '../platform/telemetry/metrics.js';
import type { ClusterScan, ListPage } from '../upstream/scan-tasks.js';
import type { ListCallAnswer } from './list-answer.js';
import { ListWorks, readerOf, type ListJob, type ListWork, type ProjectDue } from './list-work.js';
import { RunningReader } from './running-reader.js';
import { showScan } from './show-scan.js';
import { gone, tell } from './tell.js';

/** Pages in a row that could not be read; then the pass is begun anew. */
const MAX_FAILURES = 5;
/** An answer's moment is known as well as its duration is short. */
const QUICK_MS = 2_000;

/** What a page came to. */
interface PageRead {
  /** Verdicts. */
  readonly told: number;
  /** Something that had waited may be due now. */
  readonly freed: boolean;
  readonly finished: string[];
}

const NOTHING_READ: PageRead = { told: 0, freed: false, finished: [] };

/** Reads what became of the clusters of accepted calls, and of scans that are awaited: which scan tasks have come to rest, and then their clusters. */
@Injectable()
export class VerdictReader implements ListWork, OnModuleInit {
  readonly purpose = 'verdict';

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly works: ListWorks,
    private readonly running: RunningReader,
    private readonly watches: WatchLedger,
    private readonly passes: WatchPassLedger,
    private readonly verdicts: VerdictLedger,
    private readonly scans: AwaitedScanLedger,
    private readonly releasing: ReleasingLedger,
    private readonly outcomes: RetryOutcomeLedger,
    private readonly listings: ListingWishes,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.works.register(this);
  }

  async take(tx: Tx, lane: Lane, now: Date, leaseUntil: Date): Promise<ListJob | null> {
    const reader = readerOf(lane);
    if (lane.operation === 'listTasks') {
      const view = await this.watches.takeView(tx, reader, now, leaseUntil);
      return view && this.running.job(view);
    }
    const watch = await this.passes.takeDue(tx, reader, now, leaseUntil);
    return watch && this.job(tx, watch);
  }

  nextDueAt(tx: Tx, lane: Lane, now: Date): Promise<Date | null> {
    const reader = readerOf(lane);
    return lane.operation === 'listTasks'
      ? this.watches.nextViewAt(tx, reader)
      : this.passes.nextDueAt(tx, reader, now);
  }

  async projectsDue(tx: Tx): Promise<ProjectDue[]> {
    const due = await this.watches.projectsDue(tx);
    return due.map(({ projectId, of }) => ({
      projectId,
      operation: of === 'tasks' ? 'listTasks' : 'listTaskResources',
    }));
  }

  private async job(tx: Tx, watch: DueWatch): Promise<ListJob> {
    const { taskId, step } = watch;
    const asked = step === 'alone' ? (await this.passes.unseen(tx, watch.scanTaskId, watch.beganAt, 1)).first : null;
    let read = NOTHING_READ;
    return {
      ...watch,
      callId: null,
      filter:
        step === 'alone' ? { taskId, ...(asked === null ? {} : { clusterId: asked }) } : { taskId, scanStatus: step },
      apply: async (inTx, answer, now) => {
        if (!(await this.passes.isNext(inTx, watch))) return [];
        read = await this.read(inTx, watch, asked, answer, now);
        return read.finished;
      },
      // What had waited for these clusters is due now.
      dueAfter: () => (read.freed ? ['retryTask', 'listTaskResources'] : ['listTaskResources']),
      settled: () => {
        this.metrics.verdictsRead(read.told);
      },
    };
  }

  private async read(
    tx: Tx,
    watch: DueWatch,
    asked: string | null,
    answer: ListCallAnswer,
    now: Date,
  ): Promise<PageRead> {
    const { outcome } = answer;
    if (outcome.kind !== 'read') {
      await this.notRead(tx, watch, now);
      return NOTHING_READ;
    }
    const page = outcome.page as ListPage<ClusterScan>;
    const { graceMs } = this.config.policy.lookup;
    const ids = [...new Set([...page.rows.map(({ clusterId }) => clusterId), ...(asked === null ? [] : [asked])])];
    const watched = await this.verdicts.watched(tx, watch, ids);
    // By a slow answer the clock is known too badly to tell an old row from a new one.
    const clockOffsetMs = (answer.durationMs ?? Infinity) <= QUICK_MS ? answer.clockOffsetMs : null;
    const { told, effects, retried, scanMs, scanning } = tell(watched, page.rows, clockOffsetMs, now, graceMs);
    // Not there although asked for by itself, and nothing in the answer that nobody could read.
    const isGone = asked !== null && page.rowsSeen === 0;
    const missing = isGone ? watched.filter(({ acceptedAt }) => now.getTime() - acceptedAt.getTime() >= graceMs) : [];
    const all = [...told, ...missing.map(gone)];
    await this.verdicts.showEffects(tx, effects);
    await this.verdicts.markSeen(tx, watch, { clusterIds: ids, scanning }, now);
    const awaited = await this.seeAwaited(tx, watch, page.rows, ids, isGone, now);
    const finished = await this.end(tx, watch, all, awaited, now);
    await this.outcomes.count(tx, watch.projectId, retried);
    if (scanMs !== null) await this.verdicts.learnDuration(tx, watch.projectId, scanMs);
    await this.goOn(tx, watch, page, now);
    crashPoint('list.resolved');
    return { told: all.length, freed: all.length + awaited.length > 0, finished };
  }

  private async notRead(tx: Tx, watch: DueWatch, now: Date): Promise<void> {
    const { lookup, verdict } = this.config.policy;
    const backoff = { baseMs: lookup.backoff.baseMs, capMs: Math.max(lookup.backoff.capMs, verdict.poll.capMs) };
    const dueAt = new Date(now.getTime() + backoffMs(watch.failures + 1, backoff, Math.random));
    // A page that is refused again and again need not be the fault of all of them.
    if (watch.failures + 1 < MAX_FAILURES) await this.passes.postpone(tx, watch.scanTaskId, dueAt);
    else await this.passes.end(tx, watch, dueAt, Math.min(watch.failures + 1, 1_000));
  }

  /** Scans that were there before our calls. */
  private async seeAwaited(
    tx: Tx,
    watch: DueWatch,
    rows: readonly ClusterScan[],
    ids: readonly string[],
    isGone: boolean,
    now: Date,
  ): Promise<Move[]> {
    const awaited = await this.scans.awaited(tx, watch.scanTaskId, ids);
    if (awaited.size === 0) return [];
    const byId = new Map(rows.map((row) => [row.clusterId, row]));
    const shown = [...awaited].map((id) => showScan(id, byId.get(id) ?? null, isGone));
    return this.scans.see(tx, watch, shown, now);
  }

  private async end(
    tx: Tx,
    watch: DueWatch,
    told: readonly Told[],
    awaited: readonly Move[],
    now: Date,
  ): Promise<string[]> {
    const moves = [...awaited];
    if (told.length > 0) {
      await this.listings.spoil(tx, watch.scanTaskId);
      await this.verdicts.remember(tx, watch, told, now);
      moves.push(...(await this.verdicts.end(tx, watch, told, now, this.config.policy.verdict.roundPauseMs)));
      // Those for the whole task wait until none of its clusters is in a call any more.
      moves.push(...(await this.releasing.releaseWholeTask(tx, watch.scanTaskId, now)));
    }
    if (moves.length === 0) return [];
    await lockRequests(tx, [...new Set(moves.map(({ requestId }) => requestId))]);
    const finished = await applyMoves(tx, moves);
    await this.verdicts.leave(tx, [...new Set(told.map(({ callId }) => callId))]);
    return finished;
  }

  private async goOn(tx: Tx, watch: DueWatch, page: ListPage<ClusterScan>, now: Date): Promise<void> {
    const { scanTaskId, beganAt, since } = watch;
    const unseen = await this.passes.unseen(tx, scanTaskId, beganAt, MAX_ALONE + 1);
    const step = afterVerdictPage(watch, page, unseen.n);
    if (step.kind === 'next') return this.passes.goOn(tx, scanTaskId, step.position, now);
    if (watch.atRest) await this.verdicts.keepTimes(tx, watch, this.config.policy.lookup.graceMs);
    const soFarMs = now.getTime() - since.getTime();
    const waitMs = untilNextLookMs({ soFarMs, estimatedMinutes: null }, this.config.policy.verdict.poll);
    await this.passes.end(tx, watch, new Date(now.getTime() + waitMs));
  }
}
