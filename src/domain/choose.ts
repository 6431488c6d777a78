import { priorityRank } from './priority.js';

/** The request that waits first of one caller, project and priority, or whose deadline is nearest there. */
export interface Head {
  readonly requestId: string;
  readonly scanTaskId: bigint;
  readonly caller: string;
  /** Its place in `PRIORITIES`: 0 is urgent. */
  readonly priority: number;
  readonly dueAt: Date;
  readonly deadline: Date | null;
}

/**
 * What a caller has had of a lane, on the lane's virtual clock: a call that was opened for it adds 1/weight. Of its urgent calls alone
 * each adds 2/weight, since urgent work may have half of a share.
 */
export interface Share {
  readonly weight: number;
  readonly served: number;
  readonly urgentServed: number;
}

export interface Queue {
  readonly heads: readonly Head[];
  /** Of the callers that the lane has served before. */
  readonly shares: ReadonlyMap<string, Share>;
  /** The least that any of those who waited at the last call had been served: whoever comes later starts from here. */
  readonly virtualTime: number;
  readonly now: Date;
}

/** A head in its place. */
interface Ranked {
  readonly head: Head;
  /** Its priority by now; urgent work beyond half of its caller's share counts as normal. */
  readonly rank: number;
  /** Whole calls that its caller has had: nobody has a second one of a round before all have had their first. */
  readonly round: number;
}

const URGENT = priorityRank('urgent');
const NORMAL = priorityRank('normal');
const NEW: Share = { weight: 1, served: 0, urgentServed: 0 };
/** Waiting raises the priority by one for each of these, up to `normal`: see `rank`. */
const RAISED_AFTER_MS = 10 * 60_000;
/** Of sums of 1/weight. */
const ROUNDING = 1e-9;

/**
 * Whose turn it is: priority, raised by waiting; the caller who has had least; the nearest deadline; the longest wait. So a caller with
 * a million clusters delays another's ten by one call, and each further caller with work of that priority by one more.
 */
export function inOrder(queue: Queue): Head[] {
  const standing = standingOf(queue);
  const ranked = queue.heads.map((head) => rank(head, queue, standing));
  return ranked.sort(compare).map(({ head }) => head);
}

export interface Charge {
  readonly share: Share;
  readonly virtualTime: number;
}

/** The caller for whom a call is opened pays; those who fill its empty places do not. */
export function charged(queue: Queue, { caller, priority }: Head): Charge {
  const { least, servedOf } = standingOf(queue);
  const share = queue.shares.get(caller) ?? NEW;
  const { weight } = share;
  const served = servedOf(caller) + 1 / weight;
  const urgentServed = priority === URGENT ? Math.max(share.urgentServed, least) + 2 / weight : share.urgentServed;
  return { share: { weight, served, urgentServed }, virtualTime: least };
}

/** Whether it has waited for company long enough. What is urgent does not wait, nor does what fills a call by itself. */
export function isRipe({ priority, dueAt }: Head, now: Date, lingerMs: number): boolean {
  return priority === URGENT || dueAt.getTime() + lingerMs <= now.getTime();
}

/**
 * Nothing is raised to `urgent`. Urgent work has at most half of a share, so nobody starves behind it; but under a backlog of more than
 * ten minutes everything would be urgent, and what is so indeed would wait as long as the rest.
 */
function rank(head: Head, { shares, now }: Queue, { leastBut, servedOf }: Standing): Ranked {
  const { caller, priority, dueAt } = head;
  const isBeyondHalf = priority === URGENT && (shares.get(caller) ?? NEW).urgentServed > leastBut(caller) + ROUNDING;
  const raised = Math.max(0, Math.floor((now.getTime() - dueAt.getTime()) / RAISED_AFTER_MS));
  return {
    head,
    rank: priority === URGENT && !isBeyondHalf ? URGENT : Math.max(NORMAL, priority - raised),
    round: Math.floor(servedOf(caller) + ROUNDING),
  };
}

function compare(a: Ranked, b: Ranked): number {
  const deadline = ({ head }: Ranked): number => head.deadline?.getTime() ?? Number.MAX_SAFE_INTEGER;
  return (
    a.rank - b.rank ||
    a.round - b.round ||
    deadline(a) - deadline(b) ||
    a.head.dueAt.getTime() - b.head.dueAt.getTime() ||
    (a.head.requestId < b.head.requestId ? -1 : 1)
  );
}

/** What those who wait have been served. */
interface Standing {
  readonly servedOf: (caller: string) => number;
  readonly least: number;
  /** The least of all others; infinite where nobody else waits. */
  readonly leastBut: (caller: string) => number;
}

function standingOf({ heads, shares, virtualTime }: Queue): Standing {
  const servedOf = (caller: string): number => Math.max(shares.get(caller)?.served ?? 0, virtualTime);
  let [first, second] = [Infinity, Infinity];
  let firstCaller: string | null = null;
  for (const caller of new Set(heads.map((head) => head.caller))) {
    const served = servedOf(caller);
    if (served < first) [first, second, firstCaller] = [served, first, caller];
    else second = Math.min(second, served);
  }
  return { servedOf, least: first, leastBut: (caller) => (caller === firstCaller ? second : first) };
}
