/** A cluster of a rejected call, and what is known of it. */
export interface SplitCandidate {
  readonly clusterId: string;
  /** A call for it alone, or for its whole task, was refused before. */
  readonly rejectedBefore: boolean;
  /** A call for it was accepted before, or may have been. */
  readonly acceptedBefore: boolean;
}

/** So few may be odd or new: where more are, it says nothing. */
const FEW = 1 / 4;

/**
 * Two parts of a rejected call's clusters, each for a call of its own: those that one would suspect and the rest, or halves, the more
 * suspicious one first. A culprit that is suspected rightly costs three calls instead of two for each halving.
 */
export function splitRejected<T extends SplitCandidate>(clusters: readonly T[]): [T[], T[]] {
  const suspicion = suspicionOf(clusters);
  const sorted = clusters
    .map((cluster) => ({ cluster, suspicion: suspicion(cluster) }))
    .sort((a, b) => b.suspicion - a.suspicion);
  const suspects = sorted.filter(({ suspicion: points }) => points > 0).length;
  const areFewer = suspects > 0 && suspects < clusters.length / 2;
  const at = areFewer ? suspects : Math.ceil(clusters.length / 2);
  const inOrder = sorted.map(({ cluster }) => cluster);
  return [inOrder.slice(0, at), inOrder.slice(at)];
}

/** Refused before says most, then an id of an odd shape, then a cluster that was never accepted among such that were. */
function suspicionOf(clusters: readonly SplitCandidate[]): (cluster: SplitCandidate) => number {
  const shapes = new Map<string, number>();
  for (const { clusterId } of clusters) shapes.set(shapeOf(clusterId), (shapes.get(shapeOf(clusterId)) ?? 0) + 1);
  const few = clusters.length * FEW;
  const isOdd = ({ clusterId }: SplitCandidate): boolean => (shapes.get(shapeOf(clusterId)) ?? 0) <= few;
  const areNewFew = clusters.filter(({ acceptedBefore }) => !acceptedBefore).length <= few;
  return (cluster) =>
    (cluster.rejectedBefore ? 4 : 0) + (isOdd(cluster) ? 2 : 0) + (areNewFew && !cluster.acceptedBefore ? 1 : 0);
}

/** `8-4-4-4-12` for a UUID: the lengths of what stands between other signs. */
const shapeOf = (id: string): string => id.replace(/[A-Za-z0-9]+/g, (run) => String(run.length));
