/**
 * What a list call is for, in the order in which a lane serves it: the fate of an unknown call; what became of accepted ones; what of a
 * scan task has failed; where a schedule finds something to retry.
 */
export const LIST_PURPOSES = ['lookup', 'verdict', 'listing', 'schedule'] as const;
export type ListPurpose = (typeof LIST_PURPOSES)[number];

/**
 * The order in which a lane looks for work: what has no call in its window comes first, so that each purpose is sure of one call a
 * window, however much there is of those before it.
 * @param recent the purposes of the lane's calls that have a slot of it now
 */
export function turnsOf(recent: ReadonlySet<ListPurpose>): ListPurpose[] {
  const isRecent = (purpose: ListPurpose): number => Number(recent.has(purpose));
  return [...LIST_PURPOSES].sort((a, b) => isRecent(a) - isRecent(b));
}
