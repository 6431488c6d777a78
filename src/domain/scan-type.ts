/** The upstream's scan items, in the order of their bits. */
export const SCAN_TYPES = ['cluster_vul', 'risk_assessment', 'benchmark'] as const;
export type ScanType = (typeof SCAN_TYPES)[number];

/** A set of scan types as bits. `ALL_SCAN_TYPES` (0) means "every failed scan item", which the upstream takes as no list at all. */
export type ScanMask = number;
export const ALL_SCAN_TYPES: ScanMask = 0;

/** @returns `ALL_SCAN_TYPES` for none given. */
export function toMask(types: readonly ScanType[] | null | undefined): ScanMask {
  return (types ?? []).reduce((mask, type) => mask | (1 << SCAN_TYPES.indexOf(type)), 0);
}

/** @returns null for `ALL_SCAN_TYPES`, else the types in the upstream's order. */
export function fromMask(mask: ScanMask): ScanType[] | null {
  return mask === ALL_SCAN_TYPES ? null : SCAN_TYPES.filter((_type, bit) => (mask & (1 << bit)) !== 0);
}
