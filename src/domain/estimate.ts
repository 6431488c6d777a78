import { MAX_CLUSTERS_PER_CALL } from './call.js';
import { laneGate, type LaneSituation } from './lane.js';

/** Calls that the waiting work of a caller will take by itself, by priority (0 is urgent). */
export interface QueuedWork {
  readonly caller: string;
  readonly priority: number;
  readonly calls: number;
}

/** What is asked about. */
export interface Wish {
  readonly caller: string;
  readonly priority: number;
  /** Clusters that wait; a whole task counts as one. */
  readonly waiting: number;
  /** Calls for work of the same caller that goes before. */
  readonly ownAhead: number;
  /** When it is due. */
  readonly dueAt: Date;
}

/** The lanes that may send it, as they are now. */
export interface Outlook {
  readonly lanes: readonly (LaneSituation & { readonly windowMs: number })[];
  readonly queue: readonly QueuedWork[];
  /** From the start of a call to its answer. */
  readonly latencyMs: number;
  readonly now: Date;
}

export interface Estimate {
  /** That it takes by itself; company makes it no more. */
  readonly calls: number;
  /** Calls of others, and its caller's own, that leave before its first. */
  readonly position: number;
  /** When its last call should be accepted; null where only an operator can let it leave. */
  readonly acceptedAt: Date | null;
}

/**
 * A promise at submission, from the budget, the queue and what calls take. It knows no failures, no company that makes it faster, and of
 * the order only priorities and one call of each caller in turn: neither weights nor the half of urgent work nor ageing.
 */
export function estimate(wish: Wish, outlook: Outlook): Estimate {
  const calls = Math.ceil(wish.waiting / MAX_CLUSTERS_PER_CALL);
  const last = aheadOf(wish, wish.ownAhead + calls, outlook.queue) + wish.ownAhead + calls;
  const position = aheadOf(wish, wish.ownAhead + 1, outlook.queue) + wish.ownAhead;
  return { calls, position, acceptedAt: calls === 0 ? null : momentOf(last, wish.dueAt, outlook) };
}

/** Calls of others before the n-th of this caller: all of what is more urgent, and as many as its own of each with the same. */
function aheadOf({ caller, priority }: Wish, nth: number, queue: readonly QueuedWork[]): number {
  return queue
    .filter((work) => work.caller !== caller && work.priority <= priority)
    .reduce((sum, work) => sum + (work.priority < priority ? work.calls : Math.min(work.calls, nth)), 0);
}

/** When the n-th call from now on is answered: free slots first, then as many a window as the lanes have together. */
function momentOf(nth: number, dueAt: Date, { lanes, latencyMs, now }: Outlook): Date | null {
  const usable = lanes.map((lane) => ({ ...lane, opensAt: opensAt(lane) })).filter(({ opensAt: at }) => at !== null);
  if (usable.length === 0) return null;
  const from = Math.max(
    now.getTime(),
    dueAt.getTime(),
    Math.min(...usable.map(({ opensAt: at }) => at?.getTime() ?? 0)),
  );
  const limit = usable.reduce((sum, { calls }) => sum + (calls ?? Infinity), 0);
  const free = usable.reduce((sum, lane) => sum + Math.max(0, (lane.calls ?? Infinity) - lane.slotsInUse), 0);
  if (nth <= free) return new Date(from + latencyMs);
  const windowMs = Math.max(...usable.map((lane) => lane.windowMs));
  const nextSlotAt = Math.min(...usable.map((lane) => lane.nextSlotAt?.getTime() ?? now.getTime() + lane.windowMs));
  const windows = Math.floor((nth - free - 1) / limit);
  return new Date(Math.max(from, nextSlotAt) + windows * (windowMs + latencyMs) + latencyMs);
}

/** When a lane may send by itself; a window that is used up is the queue's affair. Null: not before somebody lets it. */
function opensAt(lane: LaneSituation): Date | null {
  const gate = laneGate({ ...lane, slotsInUse: 0 });
  if (gate.open) return lane.now;
  // A probe or a first call is out: its answer is near.
  return gate.until ?? (gate.blockedBy === 'operator' ? null : lane.now);
}
