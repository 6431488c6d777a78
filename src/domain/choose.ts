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
  /** A whole task, or a part of a rejected call. */
  readonly goesAlone: boolean;
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
  /** Whole calls that its caller has had: nobody begins a lap before all who wait have ended the one before. */
  readonly lap: number;
  /** As much waits for its scan task as a call takes. */
  readonly isFull: boolean;
}

const URGENT = priorityRank('urgent');
const NORMAL = priorityRank('normal');
const NEW: Share = { weight: 1, served: 0, urgentServed: 0 };
/** Waiting raises the priority by one for each of these, up to `normal`: see `rank`. */
const RAISED_AFTER_MS = 10 * 60_000;
const WEIGHED = 10;
/** Of sums of 1/weight. */
const ROUNDING = 1e-9;

/**
 * Whose turn it is: priority, raised by waiting; the caller who has had least; the nearest deadline; a full call before one that may
 * still fill up; the longest wait. So a caller with a million clusters delays another's ten by one call, and each further caller with
 * work of that priority by one more.
 * @param full the scan tasks for which as much waits as a call takes
 */
export function inOrder(queue: Queue, full: ReadonlySet<bigint> = new Set()): Head[] {
  const standing = standingOf(queue);
  const ranked = queue.heads.map((head) => rank(head, queue, standing, full.has(head.scanTaskId)));
  return ranked.sort(compare).map(({ head }) => head);
}

/** The scan tasks of those who are next in turn: of so many it pays to know whether a full call waits for them. */
export function nextTasks(queue: Queue): bigint[] {
  const next = inOrder(queue).slice(0, WEIGHED);
  return [...new Set(next.map(({ scanTaskId }) => scanTaskId))];
}

export interface Charge {
  readonly share: Share;
  readonly virtualTime: number;
}

/** The caller for whom a call is opened pays; those who fill its empty places do not. */
export function charged(queue: Queue, { caller, priority }: Head): Charge {
  const { leastBut, servedOf } = standingOf(queue);
  const share = queue.shares.get(caller) ?? NEW;
  const { weight } = share;
  const served = servedOf(caller) + 1 / weight;
  const urgentServed =
    priority === URGENT ? Math.max(share.urgentServed, queue.virtualTime) + 2 / weight : share.urgentServed;
  const virtualTime = Math.max(queue.virtualTime, Math.min(served, leastBut(caller)));
  return { share: { weight, served, urgentServed }, virtualTime };
}

/**
 * Until when a head waits for company, unless its call is full before. What is urgent does not wait, nor what may have no company, nor
 * what would wait beyond its deadline.
 */
export function ripeAt({ priority, dueAt, deadline, goesAlone }: Head, lingerMs: number): Date {
  const at = new Date(dueAt.getTime() + lingerMs);
  return priority === URGENT || goesAlone || (deadline && deadline <= at) ? dueAt : at;
}

/**
 * Nothing is raised to `urgent`. Urgent work goes first with at most half of a share, so nobody starves behind it; but under a backlog
 * of more than ten minutes everything would be urgent, and what is so indeed would wait as long as the rest.
 */
function rank(head: Head, queue: Queue, { leastBut, servedOf }: Standing, isFull: boolean): Ranked {
  const { caller, priority } = head;
  const { urgentServed } = queue.shares.get(caller) ?? NEW;
  const isUrgent = priority === URGENT && urgentServed <= leastBut(caller) + ROUNDING;
  return {
    head,
    rank: isUrgent ? URGENT : raised(head, queue.now),
    lap: Math.floor(servedOf(caller) + ROUNDING),
    isFull,
  };
}

/** Its priority by now, without the right of what is urgent. */
function raised({ priority, dueAt }: Head, now: Date): number {
  const steps = Math.max(0, Math.floor((now.getTime() - dueAt.getTime()) / RAISED_AFTER_MS));
  return Math.max(NORMAL, priority - steps);
}

function compare(a: Ranked, b: Ranked): number {
  const deadline = ({ head }: Ranked): number => head.deadline?.getTime() ?? Number.MAX_SAFE_INTEGER;
  return (
    a.rank - b.rank ||
    a.lap - b.lap ||
    deadline(a) - deadline(b) ||
    Number(b.isFull) - Number(a.isFull) ||
    a.head.dueAt.getTime() - b.head.dueAt.getTime() ||
    (a.head.requestId < b.head.requestId ? -1 : 1)
  );
}

/** What those have been served whose turn it may be: work in the background, while there is other, neither waits nor holds the clock. */
interface Standing {
  readonly servedOf: (caller: string) => number;
  /** The least of all but this caller; infinite where nobody else waits. */
  readonly leastBut: (caller: string) => number;
}

function standingOf({ heads, shares, virtualTime, now }: Queue): Standing {
  const servedOf = (caller: string): number => Math.max(shares.get(caller)?.served ?? 0, virtualTime);
  const lowest = Math.min(...heads.map((head) => raised(head, now)));
  const waiting = new Set(heads.filter((head) => raised(head, now) === lowest).map(({ caller }) => caller));
  let [first, second] = [Infinity, Infinity];
  let firstCaller: string | null = null;
  for (const caller of waiting) {
    const served = servedOf(caller);
    if (served < first) [first, second, firstCaller] = [served, first, caller];
    else second = Math.min(second, served);
  }
  return { servedOf, leastBut: (caller) => (caller === firstCaller ? second : first) };
}
