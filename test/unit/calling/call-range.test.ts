import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toRange } from '../../../src/calling/call-range.js';
import type { Filled } from '../../../src/ledger/filling.js';

const taken = (targetId: number, clusterId: string | null, scanTypes = 0): Filled => ({
  targetId: BigInt(targetId),
  requestId: `request-${targetId}`,
  clusterId,
  scanTypes,
  taken: true,
});

describe('toRange', () => {
  it('sends a cluster once, with the scan types of all who want it', () => {
    expect(toRange([taken(1, 'a', 0b001), taken(2, 'b', 0b010), taken(3, 'a', 0b100)])).toEqual({
      range: {
        rangeType: 'specific_cluster',
        clusters: [
          { clusterId: 'a', scanTypes: 0b101 },
          { clusterId: 'b', scanTypes: 0b010 },
        ],
      },
      targetIds: [1n, 3n, 2n],
      scanMasks: [0b101, 0b101, 0b010],
      clusterCount: 2,
    });
  });

  it('sends every failed item where one of them wants it', () => {
    const { range, scanMasks } = toRange([taken(1, 'a', 0b001), taken(2, 'a', 0)]);
    expect(range).toEqual({ rangeType: 'specific_cluster', clusters: [{ clusterId: 'a', scanTypes: 0 }] });
    expect(scanMasks).toEqual([]);
  });

  it('sends a whole task as such', () => {
    expect(toRange([taken(1, null), taken(2, null)])).toEqual({
      range: { rangeType: 'all_failed_cluster' },
      targetIds: [1n, 2n],
      scanMasks: [],
      clusterCount: 0,
    });
  });

  it('sends all that has failed of a task as such, and counts its clusters', () => {
    expect(toRange([taken(1, 'a'), taken(2, 'b'), taken(3, 'a')], true)).toEqual({
      range: { rangeType: 'all_failed_cluster' },
      targetIds: [1n, 3n, 2n],
      scanMasks: [],
      clusterCount: 2,
    });
  });

  it('has a mask for each target, or none at all', () => {
    const targets = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 7 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(targets, (wanted) => {
        const { targetIds, scanMasks } = toRange(wanted.map(([cluster, mask], index) => taken(index, cluster, mask)));
        expect(new Set(targetIds).size).toBe(wanted.length);
        expect([0, targetIds.length]).toContain(scanMasks.length);
      }),
    );
  });
});
