/**
 * The upstream's clock minus the database's, as the `Date` of an answer shows it; never more than it is. Whole seconds, and time that
 * passed before the call left, make it less: times of the upstream then look later than they are, and what was carried out is never
 * taken for older than its call.
 * @param startedAt of the call, by the database
 * @param elapsedMs monotonic, from before that moment to the end of the answer
 */
export const clockOffsetMs = (serverDate: Date, startedAt: Date, elapsedMs: number): number =>
  Math.floor(serverDate.getTime() - startedAt.getTime() - elapsedMs);
