import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { splitRejected, type SplitCandidate } from '../../../src/domain/split.js';
import { Random } from '../../support/random.js';

const aCluster = (clusterId: string, known: Partial<SplitCandidate> = {}): SplitCandidate => ({
  clusterId,
  rejectedBefore: false,
  acceptedBefore: false,
  ...known,
});
const alike = (n: number): SplitCandidate[] =>
  Array.from({ length: n }, (_one, index) => aCluster(`c-${String(index).padStart(6, '0')}`));
const ids = (clusters: readonly SplitCandidate[]): string[] => clusters.map(({ clusterId }) => clusterId);

type Split = (clusters: readonly SplitCandidate[]) => readonly (readonly SplitCandidate[])[];
const inHalves: Split = (clusters) => {
  const middle = Math.ceil(clusters.length / 2);
  return [clusters.slice(0, middle), clusters.slice(middle)];
};
/** Calls until each culprit stands alone and all others are through. */
const callsOf = (split: Split, clusters: readonly SplitCandidate[], culprits: ReadonlySet<string>): number => {
  const isGood = clusters.every(({ clusterId }) => !culprits.has(clusterId)) || clusters.length === 1;
  return isGood ? 1 : split(clusters).reduce((sum, part) => sum + callsOf(split, part, culprits), 1);
};

describe('a rejected call', () => {
  it('is split without losing or doubling any, into two calls that are not empty', () => {
    const cluster = fc.record({
      clusterId: fc.stringMatching(/^[a-c-]{1,8}$/),
      rejectedBefore: fc.boolean(),
      acceptedBefore: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 2, maxLength: 200 }), (clusters) => {
        const parts = splitRejected(clusters);
        expect(new Set(parts.flat())).toEqual(new Set(clusters));
        expect(parts.flat()).toHaveLength(clusters.length);
        expect(parts.every((part) => part.length > 0)).toBe(true);
      }),
    );
  });

  it('is halved, in the order sent, where nothing is known', () => {
    expect(splitRejected(alike(5)).map(ids)).toEqual([ids(alike(5)).slice(0, 3), ids(alike(5)).slice(3)]);
  });

  it.each<[string, SplitCandidate]>([
    ['was refused before', aCluster('c-999999', { rejectedBefore: true })],
    ['has an id of another shape', aCluster('1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed')],
  ])('sends first and alone what %s', (_what, suspect) => {
    const [first, rest] = splitRejected([...alike(9), suspect]);
    expect([ids(first), ids(rest)]).toEqual([[suspect.clusterId], ids(alike(9))]);
  });

  it('sends first what is new among such that were accepted before, and not what is new like most', () => {
    const known = alike(9).map((cluster) => ({ ...cluster, acceptedBefore: true }));
    expect(ids(splitRejected([...known, aCluster('c-999999')])[0])).toEqual(['c-999999']);
    expect(splitRejected([...alike(9), aCluster('c-999999', { acceptedBefore: true })])[0]).toHaveLength(5);
  });

  it('finds random culprits with fewer calls than by plain halves', () => {
    const random = new Random(7);
    let [ours, plain] = [0, 0];
    for (let hour = 0; hour < 500; hour += 1) {
      const culprits = new Set<string>();
      const clusters = alike(random.whole(2, 200)).map((cluster) => {
        const isCulprit = random.chance(0.01);
        // Half of the culprits can be told by something, and one in fifty of the others looks like one.
        const looksBad = random.chance(isCulprit ? 0.5 : 0.02);
        const seen = looksBad && random.chance(0.5) ? { ...cluster, rejectedBefore: true } : cluster;
        const odd = looksBad && !seen.rejectedBefore ? { ...seen, clusterId: `odd.${seen.clusterId}` } : seen;
        if (isCulprit) culprits.add(odd.clusterId);
        return odd;
      });
      ours += callsOf(splitRejected, clusters, culprits);
      plain += callsOf(inHalves, clusters, culprits);
    }
    expect(ours).toBeLessThan(plain);
  });
});
