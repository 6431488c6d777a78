import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ArchivedChain, RecordKind, RecordMonth } from '../domain/record-month.js';
import { errorCode } from '../platform/database/connect.js';

/** By kind: the tables whose rows are counted, and what goes with them. */
export const PARTITIONED = {
  requests: { counted: ['past_request', 'past_target'], besides: [] },
  calls: { counted: ['call'], besides: ['call_request', 'call_tag'] },
  lists: { counted: ['list_call'], besides: [] },
  events: { counted: ['event'], besides: ['seal_head'] },
} as const satisfies Record<RecordKind, { readonly counted: readonly string[]; readonly besides: readonly string[] }>;

/** What of a month lies in files that were read back. */
export interface Archived {
  /** By table, when it was archived. */
  readonly counts: Readonly<Record<string, number>>;
  readonly files: readonly { readonly name: string; readonly rows: number; readonly sha256: string }[];
  readonly chains: readonly ArchivedChain[];
}

/** Lock not available, deadlock. */
const BUSY = new Set(['55P03', '40P01']);
const TRIES = 10;
/** Everybody who wants the table waits behind us meanwhile; below the time after which Postgres looks for deadlocks, whose victim could be the service. */
const LOCK_MS = 500;
const PAUSE_MS = 2_000;
/** A process that is stopped, or whose host is gone, must not keep the locks. */
const IDLE_MS = 5_000;
const LOCK_KEY = `hashtext('rescan.retention')`;

/** Something was written into a month that has long passed. Nothing was dropped. */
export class MonthChanged extends Error {}

/** Takes months out of the record. It needs the owner's rights, which the service does not have. */
export class MonthDrops {
  constructor(private readonly owner: pg.Client) {}

  /** For as long as the connection lasts: two at once would write over each other's archives. @returns false where another one is at it */
  async takeTurn(): Promise<boolean> {
    const { rows } = await this.owner.query<{ taken: boolean }>(`SELECT pg_try_advisory_lock(${LOCK_KEY}) AS taken`);
    return rows[0]?.taken === true;
  }

  /**
   * In one transaction: the partitions go, chains begin after what is archived, and events say so.
   * @throws MonthChanged
   */
  async drop(month: RecordMonth, archived: Archived): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      await this.owner.query('BEGIN');
      try {
        await this.dropOnce(month, archived);
        await this.owner.query('COMMIT');
        return;
      } catch (error) {
        await this.owner.query('ROLLBACK');
        if (tries >= TRIES || !BUSY.has(errorCode(error))) throw error;
      }
      await sleep(PAUSE_MS);
    }
  }

  private async dropOnce(month: RecordMonth, { counts, files, chains }: Archived): Promise<void> {
    const tables = await this.partitionsOf(month);
    await this.owner.query(
      `SET LOCAL lock_timeout = ${LOCK_MS}; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_MS}`,
    );
    // Before any other lock, as the sealer does.
    if (month.kind === 'events') await this.owner.query('SELECT 1 FROM seal_progress FOR UPDATE');
    for (const table of PARTITIONED[month.kind].counted) await this.requireSame(partition(table, month), counts[table]);
    await this.shorten(month, chains, files[0]);
    await this.owner.query(`INSERT INTO event (kind, actor, data) VALUES ('record.dropped', 'operator', $1)`, [
      JSON.stringify({ ...month, rows: counts, files }),
    ]);
    await this.owner.query(`DROP TABLE ${tables.join(', ')}`);
  }

  private async requireSame(table: string, archived: number | undefined): Promise<void> {
    await this.owner.query(`LOCK TABLE ${table} IN SHARE MODE`);
    const { rows } = await this.owner.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`);
    if (Number(rows[0]?.n) === archived) return;
    throw new MonthChanged(
      `${table} has ${rows[0]?.n} rows, and ${archived} when it was archived: it stays, try again`,
    );
  }

  /** Seals stay a month longer: an event of the next month that came before the last of this one is checked by the hash before it. */
  private async partitionsOf(month: RecordMonth): Promise<string[]> {
    const { counted, besides } = PARTITIONED[month.kind];
    const tables = [...counted, ...besides].map((parent) => partition(parent, month));
    const before = `event_seal_${suffix(month)}`;
    const { rows } = await this.owner.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relispartition AND relkind = 'r'
          AND (relname = ANY($1) OR ($2 AND relname ~ '^event_seal_\\d{4}_\\d{2}$' AND relname < $3)) ORDER BY relname`,
      [tables, month.kind === 'events', before],
    );
    return rows.map(({ name }) => name);
  }

  private async shorten(
    { month }: RecordMonth,
    chains: readonly ArchivedChain[],
    file: Archived['files'][number] | undefined,
  ): Promise<void> {
    await this.owner.query(
      `WITH chain AS (SELECT * FROM jsonb_to_recordset($1) AS chain ("projectId" text, seq bigint, hash text)),
            begun AS (
         UPDATE seal_chain AS c SET base_seq = chain.seq, base_hash = decode(chain.hash, 'hex')
           FROM chain WHERE c.project_id = chain."projectId" RETURNING c.project_id, chain.seq, chain.hash)
       INSERT INTO event (kind, actor, project_id, data)
       SELECT 'chain.archived', 'operator', nullif(project_id, ''),
              jsonb_build_object('month', $2::text, 'seq', seq, 'hash', hash, 'file', $3::text, 'sha256', $4::text)
         FROM begun ORDER BY project_id`,
      [JSON.stringify(chains), month, file?.name, file?.sha256],
    );
  }
}

const suffix = ({ month }: RecordMonth): string => month.replace('-', '_');
const partition = (parent: string, month: RecordMonth): string => `${parent}_${suffix(month)}`;
