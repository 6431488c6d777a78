/**
 * Where a lookup stands: at an offset of the list, or, below zero, at a cluster of the call that is asked for by itself, once all pages
 * are read.
 */
export const oneByOne = (index: number): number => -1 - index;

/** The cluster from which on one is asked for by itself; null: a page of all. */
export const oneByOneFrom = (offset: number): number | null => (offset < 0 ? -1 - offset : null);
