import { MAX_CLUSTERS_PER_CALL } from './call.js';

/** Of what more waits, one call may not take all: it is listed first, and so is a whole task. */
export const LARGE_ABOVE = MAX_CLUSTERS_PER_CALL;

/** A longer one takes longer than the calls that it saves, and its clusters are more than one transaction should move. */
export const MAX_LISTED = 10_000;
/** As many rows as a page of HSS may have. */
export const PAGE_ROWS = 200;
/** So many pages more than its failed clusters alone are worth it to know of all the others as well. */
const PAGES_FOR_ALL = 4;

/** How many clusters of a scan task are in which state, as the list of tasks says. */
export interface TaskCounts {
  readonly failed: number;
  readonly success: number;
  readonly scanning: number;
  /** Nothing is scanning, and the task as a whole neither ready nor running: no cluster can begin to fail by itself. */
  readonly idle: boolean;
}

/** Who waits for a listing. */
export interface ListingWish {
  /** A request for all failed clusters, none of whose targets is known yet. */
  readonly wholeTask: boolean;
  /** Such a one whose call was accepted already: which clusters it meant can be told from all of them only. */
  readonly accepted: boolean;
  /** Targets that wait for single clusters. */
  readonly waiting: number;
}

export type ListingPlan =
  | { readonly kind: 'nothing_failed' }
  /** So many clusters are to be read: the failed ones, or all. */
  | { readonly kind: 'read'; readonly failedOnly: boolean; readonly expected: number }
  /** It would tell nothing that is of use now; but might, once so many targets wait. */
  | { readonly kind: 'give_up'; readonly worthFrom: number | null };

/**
 * Whether and how to read the clusters of a scan task. Without a whole-task request it pays only where those waited for may be all that
 * failed, and are more than one call takes.
 */
export function planListing({ failed, success, scanning, idle }: TaskCounts, wish: ListingWish): ListingPlan {
  const all = failed + success + scanning;
  if (failed === 0 && scanning === 0 && !wish.accepted) return { kind: 'nothing_failed' };
  const savesCalls = idle && failed > LARGE_ABOVE && failed <= MAX_LISTED;
  if (!wish.wholeTask && !wish.accepted && !(savesCalls && wish.waiting >= failed)) {
    return { kind: 'give_up', worthFrom: savesCalls ? failed : null };
  }
  const failedOnly = !wish.accepted && (all > MAX_LISTED || pages(all) > pages(failed) + PAGES_FOR_ALL);
  const expected = failedOnly ? failed : all;
  return expected > MAX_LISTED ? { kind: 'give_up', worthFrom: null } : { kind: 'read', failedOnly, expected };
}

const pages = (clusters: number): number => Math.ceil(clusters / PAGE_ROWS);

export type ListingStep =
  | { readonly kind: 'next'; readonly offset: number }
  | { readonly kind: 'last' }
  /** The list has changed meanwhile, or has rows that tell nothing: it must be begun anew. */
  | { readonly kind: 'unsteady' };

/**
 * What a page means for a listing. Only while every page tells the same total are all of them views of one set; and since a cluster
 * fails only after it was scanned, with none scanning at the start nothing can be added to it meanwhile.
 */
export function afterPage(
  { expected, failedOnly }: { readonly expected: number; readonly failedOnly: boolean },
  page: {
    readonly rows: readonly { readonly scanStatus: string | null }[];
    readonly rowsSeen: number;
    readonly total: number | null;
    readonly nextOffset: number | null;
  },
): ListingStep {
  const isTold = page.rows.every(({ scanStatus }) => (failedOnly ? scanStatus === 'failed' : scanStatus !== null));
  if (page.total !== expected || page.rows.length !== page.rowsSeen || !isTold) return { kind: 'unsteady' };
  return page.nextOffset === null ? { kind: 'last' } : { kind: 'next', offset: page.nextOffset };
}
