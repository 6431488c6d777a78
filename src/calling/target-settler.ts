import { Inject, Injectable } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { assertNever } from '../domain/assert-never.js';
import type { CallOutcome, Evidence } from '../domain/call-outcome.js';
import type { Decision } from '../domain/decide.js';
import { splitRejected } from '../domain/split.js';
import type { Reason } from '../domain/target.js';
import { CallLedger, type CallCluster, type CallFacts } from '../ledger/calls.js';
import { applyMoves, lockRequests, type Move } from '../ledger/counts.js';
import { LeavingLedger } from '../ledger/leaving.js';
import { ListingWishes } from '../ledger/listing-wishes.js';
import { ReleasingLedger, type Inherited } from '../ledger/releasing.js';
import { SuspectLedger } from '../ledger/suspects.js';
import { WatchLedger } from '../ledger/watches.js';
import type { Tx } from '../platform/prisma/prisma.service.js';

const LOST: Inherited = {
  result: 'unverified',
  reason: { code: 'lookup_failed', text: 'HSS may have accepted the call, and could not be asked for too long.' },
};

/** What becomes of a call's targets, and of those parked behind its clusters. */
@Injectable()
export class TargetSettler {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly calls: CallLedger,
    private readonly leaving: LeavingLedger,
    private readonly releasing: ReleasingLedger,
    private readonly suspects: SuspectLedger,
    private readonly listings: ListingWishes,
    private readonly watches: WatchLedger,
  ) {}

  /** @returns the requests that ended by it */
  async apply(tx: Tx, call: CallFacts, decision: Decision, outcome: CallOutcome): Promise<string[]> {
    const { targets } = decision;
    const ids = call.targetIds;
    const from = countedAs(call);
    switch (targets.kind) {
      case 'stay': {
        const to = decision.call === 'accepted' ? 'accepted' : 'unknown';
        const stayed = await this.leaving.stay(tx, call.id, ids, from, to);
        if (to === 'unknown') return this.count(tx, stayed);
        const finished = await this.count(tx, [...stayed, ...(await this.accepted(tx, call))]);
        await this.watch(tx, call);
        return finished;
      }
      case 'wait': {
        const dueAt = new Date(call.now.getTime() + targets.waitMs);
        const { costsAttempt } = targets;
        const lastAnswer = describe(outcome.evidence);
        const { maxAttempts } = this.config.policy;
        const wait = { from, dueAt, costsAttempt, maxAttempts, lastAnswer, parts: [] };
        // Refused as a whole, they go by their clusters.
        if (decision.call === 'rejected') await this.listings.spoil(tx, call.scanTaskId);
        return this.leave(tx, call, await this.leaving.waitAgain(tx, call.id, ids, call.now, wait), null);
      }
      case 'split':
        return this.split(tx, call, outcome.evidence);
      case 'end':
        return this.end(tx, call, { result: targets.result, reason: reasonOf(outcome.evidence) });
      default:
        return assertNever(targets);
    }
  }

  /** Ends all targets of a call, and with them those that wait for the same clusters. */
  async end(tx: Tx, call: CallFacts, inherited: Inherited): Promise<string[]> {
    const { result, reason } = inherited;
    const moves = await this.leaving.end(tx, call.id, call.targetIds, countedAs(call), result, reason);
    await this.listings.spoil(tx, call.scanTaskId);
    return this.leave(tx, call, moves, inherited);
  }

  /** Two calls, one for each part; where the budget for finding the culprit is spent, all that is left counts as rejected. */
  private async split(tx: Tx, call: CallFacts, evidence: Evidence): Promise<string[]> {
    const parts = await this.parts(tx, call);
    const origin = call.splitOrigin ?? call.id;
    if (!(await this.calls.spendSplitBudget(tx, origin, parts.length, this.config.policy.splitBudget))) {
      const text = `The calls for finding the rejected cluster are used up. The last answer: ${describe(evidence) ?? 'none'}`;
      const moves = await this.leaving.end(tx, call.id, call.targetIds, countedAs(call), 'rejected', {
        code: 'split_budget',
        text,
      });
      return this.leave(tx, call, moves, null);
    }
    const moves = await this.leaving.waitAgain(tx, call.id, call.targetIds, call.now, {
      from: countedAs(call),
      dueAt: call.now,
      costsAttempt: false,
      maxAttempts: this.config.policy.maxAttempts,
      lastAnswer: describe(evidence),
      parts: parts.map((clusters) => clusters.flatMap(({ targetIds }) => targetIds)),
    });
    return this.leave(tx, call, moves, null);
  }

  private async parts(tx: Tx, call: CallFacts): Promise<(readonly CallCluster[])[]> {
    const clusters = (await this.calls.clusters(tx, call.id)).map((cluster) => ({
      ...cluster,
      clusterId: cluster.clusterId ?? '',
    }));
    const ids = clusters.map(({ clusterId }) => clusterId);
    const known = await this.suspects.known(tx, call.scanTaskId, ids);
    const unknown = { rejectedBefore: false, acceptedBefore: false };
    return splitRejected(clusters.map((cluster) => ({ ...unknown, ...known.get(cluster.clusterId), ...cluster })));
  }

  /**
   * Those that an unknown call was carried out for stay in it, as accepted; those of which nobody knows end; the others wait again, an
   * attempt spent.
   */
  async resolve(
    tx: Tx,
    call: CallFacts,
    { taken, lost }: Record<'taken' | 'lost', readonly bigint[]>,
    dueAt: Date,
  ): Promise<string[]> {
    const others = new Set([...taken, ...lost]);
    const gone = call.targetIds.filter((id) => !others.has(id));
    const staying = await this.leaving.stay(tx, call.id, taken, 'unknown', 'accepted');
    const opened = taken.length > 0 ? await this.accepted(tx, call) : [];
    if (gone.length + lost.length === 0) {
      const finished = await this.count(tx, [...staying, ...opened]);
      await this.watch(tx, call);
      return finished;
    }
    await this.listings.spoil(tx, call.scanTaskId);
    const ended = await this.endLost(tx, call, lost, [...taken, ...gone]);
    const leaving = await this.leaving.waitAgain(tx, call.id, gone, call.now, {
      from: 'unknown',
      dueAt,
      costsAttempt: true,
      maxAttempts: this.config.policy.maxAttempts,
      lastAnswer: 'none: the call was not carried out',
      parts: [],
    });
    const finished = await this.leave(tx, call, [...staying, ...opened, ...ended, ...leaving], null, taken);
    if (taken.length > 0) await this.watch(tx, call);
    return finished;
  }

  /** From now on its scans are watched; as soon as it is known which these are. A watch is locked last of all. */
  private async watch(tx: Tx, { id, now, clusterCount }: CallFacts): Promise<void> {
    if (clusterCount === 0) return;
    await this.watches.begin(tx, id, now, this.config.policy.verdict.poll);
  }

  /** The clusters of an accepted call for a whole task are known now: it holds these, and no others. */
  async clustersNamed(tx: Tx, call: CallFacts): Promise<string[]> {
    const finished = await this.count(tx, await this.letOthersIn(tx, call));
    await this.watch(tx, { ...call, clusterCount: call.targetIds.length });
    return finished;
  }

  /** A call for a whole task keeps all others away until it is known which clusters it meant. */
  private async accepted(tx: Tx, call: CallFacts): Promise<Move[]> {
    if (call.rangeType !== 'all_failed_cluster') return [];
    if (call.clusterCount > 0) return this.letOthersIn(tx, call);
    await this.listMeant(tx, call);
    return [];
  }

  private async letOthersIn(tx: Tx, { id, scanTaskId, now }: CallFacts): Promise<Move[]> {
    await this.releasing.openTask(tx, id);
    const wholeTask = await this.releasing.releaseWholeTask(tx, scanTaskId, now);
    return [...wholeTask, ...(await this.releasing.unparkRequests(tx, scanTaskId))];
  }

  /** Which clusters it meant is told by a listing, once its effect shows. */
  private async listMeant(tx: Tx, { scanTaskId, now }: CallFacts): Promise<void> {
    const { listing, lookup } = this.config.policy;
    const dueAt = new Date(now.getTime() + lookup.graceMs);
    await this.listings.want(tx, scanTaskId, { now, dueAt, keepMs: listing.keepMs, holdMs: 0, anew: true });
  }

  private async endLost(tx: Tx, call: CallFacts, lost: readonly bigint[], kept: readonly bigint[]): Promise<Move[]> {
    if (lost.length === 0) return [];
    const moves = await this.leaving.end(tx, call.id, lost, 'unknown', LOST.result, LOST.reason);
    return [...moves, ...(await this.releasing.release(tx, call.id, call.now, LOST, kept))];
  }

  /** Frees the call's clusters, lets those parked on them go on, and counts everything that moved. */
  private async leave(
    tx: Tx,
    call: CallFacts,
    moves: readonly Move[],
    inherited: Inherited | null,
    kept: readonly bigint[] = [],
  ): Promise<string[]> {
    const freed = await this.releasing.release(tx, call.id, call.now, inherited, kept);
    const wholeTask = await this.releasing.releaseWholeTask(tx, call.scanTaskId, call.now);
    const unparked =
      call.rangeType === 'all_failed_cluster' ? await this.releasing.unparkRequests(tx, call.scanTaskId) : [];
    return this.count(tx, [...moves, ...freed, ...wholeTask, ...unparked]);
  }

  private async count(tx: Tx, moves: readonly Move[]): Promise<string[]> {
    await lockRequests(tx, [...new Set(moves.map(({ requestId }) => requestId))]);
    return applyMoves(tx, moves);
  }
}

/** Where the targets of a call are counted, as long as they are in it. */
function countedAs({ id, state }: CallFacts): 'sending' | 'unknown' | 'accepted' {
  switch (state) {
    case 'sending':
    case 'unknown':
    case 'accepted':
      return state;
    case 'partly_accepted':
      return 'accepted';
    case 'throttled':
    case 'unavailable':
    case 'blocked':
    case 'rejected':
    case 'not_sent':
    case 'not_carried_out':
      throw new Error(`call ${id} is ${state} and has no targets any more`);
    default:
      return assertNever(state);
  }
}

const describe = ({ httpStatus, errorCode, errorText }: Evidence): string | null =>
  [httpStatus, errorCode, errorText].filter((part) => part !== null).join(' ') || null;

function reasonOf(evidence: Evidence): Reason {
  return { code: evidence.errorCode ?? `http_${evidence.httpStatus ?? 'none'}`, text: evidence.errorText };
}
