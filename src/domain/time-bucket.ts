/** Four buckets for each doubling: a bucket's upper bound is at most 19 % above whatever is in it. */
const BUCKETS_A_DOUBLING = 4;

/** The upper bound of a bucket, in milliseconds. The bucket of a time is found where it is counted, in SQL (`ledger/rollups.ts`). */
export const bucketEndMs = (bucket: number): number => Math.round(2 ** ((bucket + 1) / BUCKETS_A_DOUBLING));
