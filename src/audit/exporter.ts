import { Injectable, Logger } from '@nestjs/common';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Prisma } from '../generated/prisma/client.js';
import { EventLedger } from '../ledger/events.js';
import { encodeCursor } from '../platform/http/page.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { CallExport } from './call-export.js';
import { EventExport } from './event-export.js';
import { headOf, linesOf } from './export-format.js';
import { ExportQueryDto, MAX_EXPORTED } from './export-query.dto.js';
import type { ExportKind, ExportRow, ExportScope, ExportSource, Line } from './export-scope.js';
import { ExportSlots } from './export-slots.js';
import { TargetExport } from './target-export.js';

/** Of a statement, also where fewer are wanted: of those that time alone excludes, it steps over as many. */
const PAGE_ROWS = 250;

/** Of one text, which is made when the reader has taken the one before. */
const CHUNK_ROWS = 50;

/** What was read of an export so far. */
interface Tally {
  rows: number;
  firstCursor: string | null;
  lastCursor: string | null;
  failed: boolean;
}

@Injectable()
export class Exporter {
  private readonly logger = new Logger(Exporter.name);
  private readonly sources: Readonly<Record<ExportKind, ExportSource>>;

  constructor(
    private readonly prisma: PrismaService,
    private readonly ledger: EventLedger,
    private readonly slots: ExportSlots,
    calls: CallExport,
    targets: TargetExport,
    events: EventExport,
  ) {
    this.sources = { calls, targets, events };
  }

  /**
   * The bytes of an export. Each page is a statement of its own, and begins when the reader has taken what was read before: a slow
   * reader holds neither a connection nor a snapshot, and for one that goes away nothing more is read. The stream fails where a page
   * cannot be read; it never ends early.
   *
   * @throws DomainError `not_found`, `bad_cursor`, `too_many_exports`
   */
  async open(query: ExportQueryDto, gzip: boolean, principal: Principal): Promise<Readable> {
    const { kind, projectId, since = null, until = null } = query;
    if (projectId !== undefined) requireProject(projectId, principal);
    const source = this.sources[kind];
    const after = source.keyOfCursor(query.cursor);
    const release = this.slots.take(principal.caller);
    try {
      const projects = projectId === undefined ? principal.projects : [projectId];
      const scope = await source.scope({ projects, since, until });
      await this.record('export.begun', query, principal, {});
      const tally: Tally = { rows: 0, firstCursor: null, lastCursor: null, failed: false };
      const text = Readable.from(this.text(source, scope, query, after, tally), { objectMode: false });
      const body = gzip ? pipeline(text, createGzip(), leaveItToTheReader) : text;
      // Before its end is recorded: whoever has read one may begin the next.
      const closes = Promise.all([closed(text), closed(body)]).finally(release);
      void this.settle(closes, body, tally, query, principal);
      return body;
    } catch (error) {
      release();
      throw error;
    }
  }

  private async *text(
    source: ExportSource,
    scope: ExportScope,
    { format, limit }: ExportQueryDto,
    after: string | null,
    tally: Tally,
  ): AsyncGenerator<string> {
    yield headOf(format, source.columns);
    for (let key = after; tally.rows < limit;) {
      const lines = await this.page(source, scope, key, tally);
      if (lines.length === 0) return;
      for (let n = 0; n < lines.length && tally.rows < limit; n += CHUNK_ROWS) {
        const read = lines.slice(n, n + CHUNK_ROWS).map((line) => JSON.parse(line) as Line);
        key = source.keyOf(read.at(-1) ?? {});
        const rows = read
          .filter(({ wanted }) => wanted === true)
          .slice(0, limit - tally.rows)
          .map((line) => ({ ...source.toRow(line), cursor: encodeCursor(source.keyOf(line)) }));
        count(rows, tally);
        yield linesOf(format, source.columns, rows);
      }
    }
  }

  private async page(source: ExportSource, scope: ExportScope, after: string | null, tally: Tally) {
    try {
      return await source.page(scope, after, PAGE_ROWS);
    } catch (error) {
      tally.failed = true;
      this.logger.error('an export broke off', error instanceof Error ? error.stack : String(error));
      throw error;
    }
  }

  /** Complete: the connection has taken all of it. */
  private async settle(
    closes: Promise<unknown>,
    body: Readable,
    tally: Tally,
    query: ExportQueryDto,
    principal: Principal,
  ): Promise<void> {
    await closes;
    const { failed, ...read } = tally;
    const end = failed ? 'failed' : body.readableEnded ? 'complete' : 'aborted';
    await this.record('export.ended', query, principal, { end, ...read }).catch((error: unknown) =>
      this.logger.error(`the end of an export could not be recorded: ${String(error)}`),
    );
  }

  private record(kind: string, query: ExportQueryDto, actor: Principal, data: Prisma.InputJsonObject): Promise<void> {
    const { projectId, since = null, until = null, cursor = null, limit } = query;
    const asked = {
      kind: query.kind,
      format: query.format,
      since: since?.toISOString() ?? null,
      until: until?.toISOString() ?? null,
      cursor,
      limit: limit === MAX_EXPORTED ? null : limit,
      projects: projectId === undefined ? actor.projects : [projectId],
    };
    return this.ledger.record(this.prisma, {
      kind,
      actor,
      ...(projectId !== undefined && { projectId }),
      data: { ...asked, ...data },
    });
  }
}

function count(rows: readonly ExportRow[], tally: Tally): void {
  tally.rows += rows.length;
  tally.firstCursor ??= rows[0]?.cursor ?? null;
  tally.lastCursor = rows.at(-1)?.cursor ?? tally.lastCursor;
}

/** Whoever reads the end of a pipeline hears of its errors; they pass through it. */
const leaveItToTheReader = (): void => undefined;

const closed = (stream: Readable): Promise<void> => new Promise((resolve) => stream.once('close', resolve));
