import type { ScanItem } from '../upstream/scan-tasks.js';

/** Why, by scan type, of the items that failed; null where the upstream gave no reason. */
export type FailedReasons = Readonly<Record<string, string | null>>;

export function failedReasons(items: readonly ScanItem[]): FailedReasons {
  return Object.fromEntries(
    items.flatMap(({ scanType, status, failedReason }) =>
      scanType !== null && status === 'failed' ? [[scanType, failedReason]] : [],
    ),
  );
}
