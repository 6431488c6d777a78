/** Most urgent first: the place in this list is what the tables store and sort by. */
export const PRIORITIES = ['urgent', 'normal', 'background'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const priorityRank = (priority: Priority): number => PRIORITIES.indexOf(priority);

export function priorityAt(rank: number): Priority {
  const priority = PRIORITIES[rank];
  if (priority === undefined) throw new RangeError(`no priority has rank ${rank}`);
  return priority;
}
