import { Random } from '../../test/support/random.js';

const MINUTE_MS = 60_000;
export const WINDOW_MS = 60_000;
export const CALLS_A_WINDOW = 5;
export const CLUSTERS_A_CALL = 200;
/** Requests come for so long. */
export const SUBMITTING_MS = 40 * MINUTE_MS;
const BUDGET = (SUBMITTING_MS / WINDOW_MS) * CALLS_A_WINDOW;

const TASKS = 60;
const CALLERS = 40;
const POISONED_TASKS = 6;
const STORMS = 2;
const STORM_MS = 2 * MINUTE_MS;

export interface WantedTask {
  readonly id: number;
  /** Its failed clusters are 0 to this, without it. */
  readonly failed: number;
  /** As many of them, from the first on, as anybody wants at most: in one task of five all, otherwise all but one. */
  readonly wantable: number;
  /** A cluster that makes every call rejected in which it is. */
  readonly poisoned: number | null;
}

/** A wish for a run of a task's failed clusters. */
export interface WantedRequest {
  readonly id: number;
  readonly at: number;
  readonly caller: string;
  readonly priority: 0 | 1;
  readonly task: WantedTask;
  readonly from: number;
  /** Without it. */
  readonly to: number;
}

/** Times in milliseconds since its begin. */
export interface BusyHour {
  readonly seed: number;
  readonly tasks: readonly WantedTask[];
  readonly requests: readonly WantedRequest[];
  /** Whatever is sent then is answered with 429. */
  readonly storms: readonly { readonly from: number; readonly to: number }[];
  /** Of answers that never come. */
  readonly lost: number;
}

/**
 * Many callers want failed clusters of the same scan tasks again: sizes from 1 to 3,000, as many of 1 to 10 as of 100 to 1,000; a third
 * overlap with what was wanted before, the others are for clusters that nobody has wanted yet, as long as there are any.
 * @param load the fewest calls that could do it, as a part of the budget of the time in which requests come
 */
export function busyHour(seed: number, load: number, withFaults: boolean): BusyHour {
  const random = new Random(seed);
  const tasks = Array.from({ length: TASKS }, (_, id): WantedTask => {
    const failed = 3 + Math.floor(3_998 * random.next());
    const wantable = id % 5 === 0 ? failed : failed - 1;
    const poisoned = withFaults && id < POISONED_TASKS ? Math.floor(wantable * random.next()) : null;
    return { id, failed, wantable, poisoned };
  });
  const wanted = new Wanted(tasks);
  const drafts: Omit<WantedRequest, 'id'>[] = [];
  while (wanted.fewestCalls < load * BUDGET) {
    const task = random.pick(tasks);
    const priority = random.next() < 0.05 ? 0 : 1;
    // What is urgent is little.
    const size = Math.min(task.wantable, Math.floor((priority === 0 ? CLUSTERS_A_CALL + 1 : 3_001) ** random.next()));
    const free = wanted.firstFree(task);
    const overlaps = random.next() < 1 / 3 || free + size > task.wantable;
    const from = overlaps ? Math.floor((task.wantable - size + 1) * random.next()) : free;
    wanted.add(task, from, from + size);
    const caller = `caller-${random.whole(1, CALLERS)}`;
    drafts.push({ at: SUBMITTING_MS * random.next(), caller, priority, task, from, to: from + size });
  }
  const storms = Array.from({ length: withFaults ? STORMS : 0 }, (_, n) => {
    const from = ((n + random.next()) * SUBMITTING_MS) / STORMS;
    return { from, to: from + STORM_MS };
  });
  const requests = drafts.sort((a, b) => a.at - b.at).map((draft, id) => ({ ...draft, id }));
  return { seed, tasks, requests, storms, lost: withFaults ? 0.02 : 0 };
}

/** Which clusters somebody wants, and how few calls they need. */
export class Wanted {
  readonly #wanted = new Map<WantedTask, Uint8Array>();
  readonly #counts = new Map<WantedTask, number>();
  fewestCalls = 0;

  constructor(tasks: readonly WantedTask[]) {
    for (const task of tasks) this.#wanted.set(task, new Uint8Array(task.failed));
  }

  add(task: WantedTask, from: number, to: number): void {
    const marks = this.#marks(task);
    const before = this.#counts.get(task) ?? 0;
    let count = before;
    for (let cluster = from; cluster < to; cluster += 1) {
      if (marks[cluster] === 0) count += 1;
      marks[cluster] = 1;
    }
    this.#counts.set(task, count);
    this.fewestCalls += fewest(task, count) - fewest(task, before);
  }

  firstFree(task: WantedTask): number {
    const at = this.#marks(task).lastIndexOf(1);
    return at + 1;
  }

  #marks(task: WantedTask): Uint8Array {
    const marks = this.#wanted.get(task);
    if (!marks) throw new Error(`no task ${task.id}`);
    return marks;
  }
}

/** One call for a whole failed set; otherwise full ones. A culprit costs the calls that find it. */
function fewest({ failed, poisoned }: WantedTask, wanted: number): number {
  if (wanted === 0) return 0;
  const culprit = poisoned === null ? 0 : Math.ceil(Math.log2(Math.min(wanted, CLUSTERS_A_CALL))) + 1;
  return (wanted === failed ? 1 : Math.ceil(wanted / CLUSTERS_A_CALL)) + culprit;
}
