import { join } from 'node:path';
import type { ArchivedChain, RecordMonth } from '../domain/record-month.js';
import type { SealHead } from '../domain/seal-head.js';
import type { Archived } from '../ledger/month-drops.js';
import type { ArchivedTable, RecordMonthLedger } from '../ledger/record-months.js';
import type { SealedRows } from '../verifying/sealed-rows.js';
import { verifyExport } from '../verifying/verify.js';
import { checkArchive, writeArchive, writeManifest, type ArchiveFile } from './archive-file.js';

/** By kind: what becomes a file, and the file's name. */
const FILES = {
  requests: { past_request: 'requests', past_target: 'targets' },
  calls: { call: 'calls' },
  lists: { list_call: 'lists' },
} as const satisfies Record<string, Partial<Record<ArchivedTable, string>>>;

/** Writes months of the record to files, and reads them back. */
export class Archivist {
  constructor(
    private readonly months: RecordMonthLedger,
    private readonly sealed: SealedRows,
    private readonly folder: string,
  ) {}

  /** Once it returns, all of the month lies in the folder. A second time it writes the same files again. */
  async archive(month: RecordMonth): Promise<Archived> {
    const counts = await this.months.counts(month);
    const archived =
      month.kind === 'events' ? await this.events(month) : await this.rows(FILES[month.kind], month, counts);
    const { items, ...rest } = { items: [], ...archived };
    const manifest = { ...month, rows: counts, ...rest, ...(items.length > 0 ? { items } : {}) };
    await writeManifest(this.folder, `${nameOf(month)}.json`, manifest);
    return { counts, ...rest };
  }

  private async rows(
    names: Partial<Record<ArchivedTable, string>>,
    month: RecordMonth,
    counts: Archived['counts'],
  ): Promise<Omit<Archived, 'counts'>> {
    const files: ArchiveFile[] = [];
    for (const [table, name] of Object.entries(names) as [ArchivedTable, string][]) {
      const file = await this.write(`${name}-${month.month}.ndjson.gz`, this.months.rows(table, month));
      if (file.rows !== counts[table]) throw new Error(`${file.name} has ${file.rows} of ${counts[table]} rows`);
      files.push(file);
    }
    return { files, chains: [] };
  }

  /** `items` are the last heads within the month: what the file can be held against (`npm run audit:verify -- FILE --manifest MANIFEST`). */
  private async events(month: RecordMonth): Promise<Omit<Archived, 'counts'> & { items: SealHead[] }> {
    if (!(await this.months.isSealed(month))) throw new Error(`events of ${month.month} are not sealed yet`);
    const chains = await this.months.chains(month);
    const events = await this.write(`${nameOf(month)}.ndjson.gz`, this.links(chains));
    await this.checkChains(events, chains);
    const heads = await this.write(`heads-${month.month}.ndjson.gz`, this.months.rows('seal_head', month));
    const items: SealHead[] = [];
    for (const { projectId, afterSeq, seq } of chains) {
      const head = await this.sealed.lastHead(projectId, afterSeq, seq);
      if (head) items.push(head);
    }
    return { files: [events, heads], chains, items };
  }

  private async write(name: string, lines: AsyncIterable<string>): Promise<ArchiveFile> {
    const file = await writeArchive(this.folder, name, lines);
    await checkArchive(this.folder, file);
    return file;
  }

  private async *links(chains: readonly ArchivedChain[]): AsyncGenerator<string> {
    for (const { projectId, afterSeq, seq } of chains) {
      for await (const { event, eventId, hash, seq: at } of this.sealed.links(projectId, afterSeq)) {
        if (at > seq) break;
        yield JSON.stringify({ projectId, seq: at, eventId, hash, event });
      }
    }
  }

  /** From where the last archive ended to where the rest of the chain goes on. */
  private async checkChains({ name }: ArchiveFile, chains: readonly ArchivedChain[]): Promise<void> {
    const evidence = { heads: [], publicKey: null, isPart: false, archived: chains };
    const { findings } = await verifyExport(join(this.folder, name), evidence);
    const [finding] = findings;
    if (finding) {
      const place = `${finding.projectId === '' ? 'no project' : finding.projectId}, ${finding.seq ?? finding.eventId ?? ''}`;
      throw new Error(
        `the chain is not genuine (${place}: ${finding.detail}): run npm run audit:verify; nothing was dropped`,
      );
    }
  }
}

const nameOf = ({ kind, month }: RecordMonth): string => `${kind}-${month}`;
