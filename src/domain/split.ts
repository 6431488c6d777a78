/** Two halves of a rejected call's clusters, in the order sent; the first is the larger where the number is odd. */
export function halves<T>(clusters: readonly T[]): [T[], T[]] {
  const middle = Math.ceil(clusters.length / 2);
  return [clusters.slice(0, middle), clusters.slice(middle)];
}
