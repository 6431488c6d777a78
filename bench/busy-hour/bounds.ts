import { CALLS_A_WINDOW, Wanted, WINDOW_MS, type BusyHour } from './busy-hour.js';

export interface Bounds {
  /** No plan, even one that knows all that will come, needs fewer calls. */
  readonly fewestCalls: number;
  /** Nor is any through sooner: what is first wanted after a moment has to leave after it. With the whole time of storms added, no bound any more. */
  readonly earliestEnd: number;
}

export function boundsOf({ tasks, requests, storms }: BusyHour): Bounds {
  const all = new Wanted(tasks);
  for (const { task, from, to } of requests) all.add(task, from, to);
  return { fewestCalls: all.fewestCalls, earliestEnd: earliestEnd(tasks, requests) + stormTime(storms) };
}

/** The latest of all moments plus the windows that are needed for what is first wanted from then on. */
function earliestEnd(tasks: BusyHour['tasks'], requests: BusyHour['requests']): number {
  const first = new Wanted(tasks);
  // From the last to the first: what is wanted later and nowhere before is counted from its own moment on.
  let end = 0;
  const seenBefore = firstWishes(tasks, requests);
  for (let index = requests.length - 1; index >= 0; index -= 1) {
    const request = requests[index];
    if (!request) continue;
    for (const [from, to] of seenBefore[index] ?? []) first.add(request.task, from, to);
    const windows = Math.ceil(first.fewestCalls / CALLS_A_WINDOW);
    if (windows > 0) end = Math.max(end, request.at + (windows - 1) * WINDOW_MS);
  }
  return end;
}

/** Of each request the runs of clusters that nobody had wanted before. */
function firstWishes(tasks: BusyHour['tasks'], requests: BusyHour['requests']): [number, number][][] {
  const marks = new Map(tasks.map((task) => [task, new Uint8Array(task.failed)]));
  return requests.map(({ task, from, to }) => {
    const wanted = marks.get(task) ?? new Uint8Array();
    const runs: [number, number][] = [];
    for (let start = from; start < to;) {
      while (start < to && wanted[start] === 1) start += 1;
      let end = start;
      while (end < to && wanted[end] === 0) end += 1;
      if (end > start) runs.push([start, end]);
      start = end;
    }
    wanted.fill(1, from, to);
    return runs;
  });
}

const stormTime = (storms: BusyHour['storms']): number => storms.reduce((sum, { from, to }) => sum + to - from, 0);
