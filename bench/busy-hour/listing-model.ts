import { defaultRetryPolicy } from '../../src/domain/retry-policy.js';
import { CALLS_A_WINDOW, CLUSTERS_A_CALL, WINDOW_MS, type WantedRequest } from './busy-hour.js';
import type { Events } from './events.js';
import type { TaskState } from './model-state.js';
import { LATENCY_MS } from './upstream-model.js';

/** For so long after a call of it was accepted, some cluster of a task is scanning. */
export const SCAN_MS = 10 * 60_000;
const { keepMs, holdMs } = defaultRetryPolicy.listing;

interface Listing {
  wantedAt: number;
  holdUntil: number;
  isOver: boolean;
  exactUntil: number;
}

/** Listings of scan tasks: what is wanted of them is what has failed, or not; each page takes a slot of a lane. */
export class ListingModel {
  private readonly listings = new Map<TaskState, Listing>();
  private readonly counts = new ListLane();
  private readonly clusters = new ListLane();

  constructor(
    private readonly events: Events,
    private readonly look: () => void,
  ) {}

  /** As at a submission, and as where a call is to be opened for a large request. @returns whether it waits */
  want(task: TaskState): boolean {
    const { now } = this.events;
    const last = this.listings.get(task);
    if (last && (!last.isOver || now < last.wantedAt + keepMs)) return last.holdUntil > now;
    const listing = { wantedAt: now, holdUntil: now + holdMs, isOver: false, exactUntil: 0 };
    this.listings.set(task, listing);
    this.events.at(listing.holdUntil, this.look);
    this.counts.take(this.events, () => {
      if (isIdleAndWanted(task, this.events.now) && task.waiting > CLUSTERS_A_CALL)
        this.read(task, listing, task.waiting);
      else this.end(listing);
    });
    return true;
  }

  /** One call then replaces many. */
  isExact(task: TaskState): boolean {
    const { now } = this.events;
    return (this.listings.get(task)?.exactUntil ?? 0) > now && isIdleAndWanted(task, now);
  }

  isHeld(task: TaskState, { priority, from, to }: WantedRequest): boolean {
    const listing = this.listings.get(task);
    return priority > 0 && to - from > CLUSTERS_A_CALL && listing !== undefined && listing.holdUntil > this.events.now;
  }

  private read(task: TaskState, listing: Listing, left: number): void {
    listing.holdUntil = Math.min(this.events.now + WINDOW_MS + holdMs, listing.wantedAt + keepMs);
    this.events.at(listing.holdUntil, this.look);
    this.clusters.take(this.events, () => {
      if (left > CLUSTERS_A_CALL) {
        this.read(task, listing, left - CLUSTERS_A_CALL);
        return;
      }
      listing.exactUntil = this.events.now + keepMs;
      this.end(listing);
    });
  }

  private end(listing: Listing): void {
    listing.isOver = true;
    listing.holdUntil = 0;
    this.look();
  }
}

const isIdleAndWanted = (task: TaskState, now: number): boolean =>
  task.free === 0 && task.live === 0 && now >= task.calledAt + SCAN_MS;

/** First come, first served. */
class ListLane {
  private readonly freeAt: number[] = Array.from({ length: CALLS_A_WINDOW }, () => 0);

  take(events: Events, answered: () => void): void {
    const first = this.freeAt.indexOf(Math.min(...this.freeAt));
    const at = Math.max(events.now, this.freeAt[first] ?? 0);
    this.freeAt[first] = at + LATENCY_MS + WINDOW_MS;
    events.at(at + LATENCY_MS, answered);
  }
}
