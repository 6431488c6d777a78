import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import type { AppConfig } from '../config/app-config.js';
import type { Lane } from '../config/lanes.js';
import { APP_CONFIG } from '../config/tokens.js';
import { MAX_CLUSTERS_PER_CALL } from '../domain/call.js';
import { charged, inOrder, nextTasks, ripeAt, type Head } from '../domain/choose.js';
import { laneGate, withCall, type LaneGate } from '../domain/lane.js';
import { priorityRank } from '../domain/priority.js';
import { CallLedger } from '../ledger/calls.js';
import { ChoosingLedger, type ChosenTask, type LaneQueue } from '../ledger/choosing.js';
import { applyMoves, lockRequests, type Move } from '../ledger/counts.js';
import { FillingLedger, type Filled } from '../ledger/filling.js';
import { WholeSetLedger } from '../ledger/whole-sets.js';
import { LaneLedger, type LaneReading } from '../ledger/lanes.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { Clock } from '../platform/clock.js';
import { crashPoint } from '../platform/crash-points.js';
import { PrismaService, type Tx } from '../platform/prisma/prisma.service.js';
import { processName } from '../platform/process-name.js';
import { retryTaskBody, type RetryRange } from '../upstream/wire.js';
import { toRange, type CallRange } from './call-range.js';

/** A call whose row is committed, and that may be sent. */
export interface StartedCall {
  readonly id: string;
  readonly credential: string;
  readonly projectId: string;
  readonly enterpriseProjectId: string;
  readonly taskId: string;
  readonly range: RetryRange;
  readonly body: string;
  /** The upstream's clock at the start, as far as it was known. */
  readonly at: Date;
  readonly clockOffsetMs: number;
  /** `Clock.monotonicMs` before the starting transaction: the lease is counted from here. */
  readonly leasedAtMs: number;
}

/** What a look at a lane came to, and the lane's gate after it. */
export type Turn = { readonly now: Date; readonly gate: LaneGate } & (
  | { readonly kind: 'started'; readonly call: StartedCall }
  /** `nextLookAt` is null where only another event can change it. */
  | { readonly kind: 'nothing'; readonly nextLookAt: Date | null }
);

/** Tasks that another lane holds just now are left to it; after so many a bell later is better than a longer transaction. */
const MAX_TASKS = 5;
/** Passes of one filling; each takes what it can or parks what it cannot. */
const MAX_PASSES = 5;

/** Puts one call together at the moment at which its lane may send it, in one transaction. */
@Injectable()
export class CallStarter {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly prisma: PrismaService,
    private readonly clock: Clock,
    private readonly lanes: LaneLedger,
    private readonly choosing: ChoosingLedger,
    private readonly filling: FillingLedger,
    private readonly wholeSets: WholeSetLedger,
    private readonly listings: ListingWishes,
    private readonly calls: CallLedger,
  ) {}

  start(lane: Lane): Promise<Turn> {
    const leasedAtMs = this.clock.monotonicMs();
    return this.prisma.transact(async (tx) => {
      await this.lanes.lock(tx, lane.id);
      crashPoint('start.locked');
      const reading = await this.lanes.read(tx, lane.id);
      const gate = laneGate(reading.situation);
      const { now } = reading.situation;
      if (!gate.open) return { kind: 'nothing', now, gate, nextLookAt: gate.until };
      if (!(await this.mayUseCredential(tx, lane, reading))) return { kind: 'nothing', now, gate, nextLookAt: null };
      return this.chooseAndWrite(tx, lane, reading, leasedAtMs);
    });
  }

  /** Another operation's lane may be trying the same unconfirmed credential in this very moment. */
  private async mayUseCredential(tx: Tx, lane: Lane, reading: LaneReading): Promise<boolean> {
    if (reading.situation.credential.confirmed) return true;
    const locked = await this.lanes.lockCredential(tx, lane.credential.name);
    return locked.confirmed || locked.sending === 0;
  }

  private async chooseAndWrite(tx: Tx, lane: Lane, reading: LaneReading, leasedAtMs: number): Promise<Turn> {
    const { now } = reading.situation;
    const { virtualTime } = reading;
    const queue = await this.choosing.queue(tx, { id: lane.id, virtualTime }, lane.credential.projects, now);
    const { ready, nextRipeAt } = await this.readyHeads(tx, queue);
    const tried = new Set<bigint>();
    for (const head of ready) {
      if (tried.size >= MAX_TASKS || tried.has(head.scanTaskId)) continue;
      tried.add(head.scanTaskId);
      const { keepMs } = this.config.policy.listing;
      const task = await this.choosing.lockTask(tx, head, now, { keepMs, credential: lane.credential.name });
      if (task && (await this.waitsForListing(tx, head, task, now))) continue;
      const call = task && (await this.fillAndWrite(tx, lane, reading, task, leasedAtMs));
      if (!call) continue;
      await this.lanes.charge(tx, lane.id, head.caller, charged(queue, head));
      return { kind: 'started', call, now, gate: laneGate(withCall(reading.situation)) };
    }
    const nextLookAt = ready.length > 0 ? now : earliest(nextRipeAt, queue.nextDueAt);
    return { kind: 'nothing', now, gate: { open: true }, nextLookAt };
  }

  /** In order, up to the last that does not wait for company any more. */
  private async readyHeads(tx: Tx, queue: LaneQueue): Promise<{ ready: readonly Head[]; nextRipeAt: Date | null }> {
    const { lingerMs } = this.config.policy;
    const tasks = nextTasks(queue);
    const unripe = queue.heads.filter((head) => ripeAt(head, lingerMs) > queue.now);
    if (unripe.length === 0 && tasks.length < 2) return { ready: inOrder(queue), nextRipeAt: null };
    const full = await this.choosing.fullTasks(tx, tasks, queue.now);
    const ordered = inOrder(queue, full);
    const isReady = (head: Head): boolean => ripeAt(head, lingerMs) <= queue.now || full.has(head.scanTaskId);
    // Nobody is overtaken while it lingers: where the slot is wanted by one behind it, it goes.
    const ready = ordered.slice(0, ordered.findLastIndex(isReady) + 1);
    return { ready, nextRipeAt: earliest(...unripe.map((head) => ripeAt(head, lingerMs))) };
  }

  /** What more than one call would be needed for is listed first, as long as that takes no longer than the policy says. */
  private waitsForListing(tx: Tx, head: Head, task: ChosenTask, now: Date): Promise<boolean> {
    const { keepMs, holdMs } = this.config.policy.listing;
    const isUrgent =
      head.priority === priorityRank('urgent') || (head.deadline?.getTime() ?? Infinity) <= now.getTime() + holdMs;
    if (!task.isLarge || task.listed !== 'no' || isUrgent || task.opening.kind === 'part')
      return Promise.resolve(false);
    return this.listings.want(tx, task.scanTaskId, { now, keepMs, holdMs, anew: false });
  }

  private async fillAndWrite(
    tx: Tx,
    lane: Lane,
    reading: LaneReading,
    task: ChosenTask,
    leasedAtMs: number,
  ): Promise<StartedCall | null> {
    const { callId } = reading;
    const { now } = reading.situation;
    const isExact = task.listed === 'exact' && task.opening.kind === 'clusters';
    const whole = isExact ? await this.wholeSets.take(tx, task, callId, now) : [];
    const filled = whole.length > 0 ? whole : await this.fill(tx, task, callId, now);
    crashPoint('start.filled');
    const taken = filled.filter((target) => target.taken);
    if (taken.length === 0) return this.putBack(tx, task, callId, filled);
    const content = toRange(taken, whole.length > 0);
    const { range } = content;
    const body = retryTaskBody(range);
    await this.writeCall(tx, lane, reading, task, { ...content, body, taken });
    if (task.isLarge || task.listed !== 'no') await this.listings.endHold(tx, task.scanTaskId);
    await this.count(tx, filled);
    crashPoint('start.written');
    const { clockOffsetMs } = reading;
    const at = new Date(now.getTime() + clockOffsetMs);
    const { projectId, taskId, enterpriseProjectId } = task;
    const what = { id: callId, projectId, taskId, enterpriseProjectId, range, body };
    return { ...what, credential: lane.credential.name, at, clockOffsetMs, leasedAtMs };
  }

  /** All that could be done is that what waits for others is parked. */
  private async putBack(tx: Tx, task: ChosenTask, callId: string, filled: readonly Filled[]): Promise<null> {
    await this.filling.letGo(tx, callId);
    if (filled.length === 0) await this.filling.parkRequests(tx, task);
    await this.count(tx, filled);
    return null;
  }

  /** Pass by pass until the call is full or nothing is left: a pass ends early where many want the same clusters. */
  private async fill(tx: Tx, task: ChosenTask, callId: string, now: Date): Promise<Filled[]> {
    const filled: Filled[] = [];
    const clusters = new Set<string | null>();
    for (let pass = 0; pass < MAX_PASSES && clusters.size < MAX_CLUSTERS_PER_CALL; pass += 1) {
      const found = await this.filling.fill(tx, task, callId, now, MAX_CLUSTERS_PER_CALL - clusters.size);
      for (const target of found.filled) {
        filled.push(target);
        if (target.taken) clusters.add(target.clusterId);
      }
      if (found.exhausted) break;
    }
    return filled;
  }

  private async writeCall(
    tx: Tx,
    lane: Lane,
    reading: LaneReading,
    task: ChosenTask,
    content: CallRange & { readonly body: string; readonly taken: readonly Filled[] },
  ): Promise<void> {
    const { opening } = task;
    const leaseMs = lane.credential.timeoutMs + this.config.policy.leaseMarginMs;
    const startedAt = reading.situation.now;
    await this.calls.insert(
      tx,
      {
        id: reading.callId,
        laneId: lane.id,
        credential: lane.credential.name,
        scanTaskId: task.scanTaskId,
        projectId: task.projectId,
        rangeType: content.range.rangeType,
        clusterCount: content.clusterCount,
        targetIds: content.targetIds,
        scanMasks: content.scanMasks,
        bodySha256: new Uint8Array(createHash('sha256').update(content.body).digest()),
        startedAt,
        leaseUntil: new Date(startedAt.getTime() + leaseMs),
        policyVersion: this.config.policy.version,
        worker: processName,
        splitOrigin: opening.kind === 'part' ? await this.calls.splitOrigin(tx, opening.parent) : null,
      },
      [...new Set(content.taken.map(({ requestId }) => requestId))].sort(),
    );
  }

  private async count(tx: Tx, filled: readonly Filled[]): Promise<void> {
    const moves: Move[] = filled.map(({ requestId, taken }) => ({
      requestId,
      from: 'waiting',
      to: taken ? 'sending' : 'waiting',
      n: 1,
    }));
    await lockRequests(tx, [...new Set(moves.map(({ requestId }) => requestId))]);
    await applyMoves(tx, moves);
  }
}

function earliest(...moments: readonly (Date | null)[]): Date | null {
  const known = moments.filter((moment) => moment !== null);
  return known.length === 0 ? null : new Date(Math.min(...known.map((moment) => moment.getTime())));
}
