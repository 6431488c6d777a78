/** What the record has, as far as it is kept for a time only: each kind by itself. */
export const RECORD_KINDS = ['requests', 'calls', 'lists', 'events'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** A month of one kind, UTC: what is dropped as a whole. */
export interface RecordMonth {
  readonly kind: RecordKind;
  /** `2026-01` */
  readonly month: string;
}

/** A chain, as far as a month takes it into an archive. */
export interface ArchivedChain {
  /** '' : events of no project. */
  readonly projectId: string;
  /** Its last event that is in an archive already; 0: none. */
  readonly afterSeq: number;
  readonly afterHash: string | null;
  /** The last one of the month: the rest of the chain goes on from it. Hex. */
  readonly seq: number;
  readonly hash: string;
}

/** The first moment of a month and that of the next, ISO 8601 in UTC. */
export function boundsOf({ month }: RecordMonth): { readonly from: string; readonly to: string } {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return { from: `${month}-01T00:00:00Z`, to: new Date(Date.UTC(year, number, 1)).toISOString() };
}
