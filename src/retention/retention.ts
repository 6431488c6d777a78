import { RECORD_KINDS, type RecordKind, type RecordMonth } from '../domain/record-month.js';
import type { MonthDrops } from '../ledger/month-drops.js';
import type { RecordMonthLedger } from '../ledger/record-months.js';
import type { Archivist } from './archivist.js';

export interface RetentionOptions {
  /** How long each kind is kept from the end of its month, in milliseconds; what is not named is kept for ever. */
  readonly keepMs: Partial<Record<RecordKind, number>>;
  /** Only says what would go. */
  readonly dryRun: boolean;
}

/** Archives and drops what is older than it is kept, month by month, the oldest first. Killed at any moment, it may be run again. */
export async function applyRetention(
  parts: { readonly months: RecordMonthLedger; readonly archivist: Archivist; readonly drops: MonthDrops },
  { keepMs, dryRun }: RetentionOptions,
  say: (line: string) => void,
): Promise<void> {
  for (const kind of RECORD_KINDS) {
    const keep = keepMs[kind];
    if (keep === undefined) continue;
    const past = await parts.months.past(kind, keep);
    if (past.length === 0) say(`${kind}: nothing is old enough`);
    for (const { month, isHeld } of past) {
      if (isHeld) {
        say(`${named(month)}: kept, a request from before its end is not at its end, or may still be asked for`);
        break;
      }
      if (dryRun) say(`${named(month)}: would go, ${told(await parts.months.counts(month))}`);
      else await drop(parts, month, say);
    }
  }
}

async function drop(
  { archivist, drops }: Parameters<typeof applyRetention>[0],
  month: RecordMonth,
  say: (line: string) => void,
): Promise<void> {
  const archived = await archivist.archive(month);
  say(
    `${named(month)}: ${told(archived.counts)} archived and read back (${archived.files.map(({ name }) => name).join(', ')})`,
  );
  await drops.drop(month, archived);
  say(`${named(month)}: dropped`);
}

/** `12 rows of request, 240 rows of target` */
const told = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([table, rows]) => `${rows} rows of ${table}`)
    .join(', ');

const named = ({ kind, month }: RecordMonth): string => `${kind} of ${month}`;
