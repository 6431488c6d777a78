import { Injectable } from '@nestjs/common';
import { eventFields, type EventRow } from '../domain/sealed-event.js';
import { Prisma } from '../generated/prisma/client.js';
import { ID_LENGTH, isUpstreamId } from '../platform/http/ids.js';
import { decodeCursor } from '../platform/http/page.js';
import { EVENT_COLUMNS } from '../platform/prisma/event-columns.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { ChainEdges } from './chain-edges.js';
import {
  momentOf,
  readLines,
  scopeOf,
  type ExportFilter,
  type ExportScope,
  type ExportSource,
  type Line,
} from './export-scope.js';

/** Of `data` in a page, as it is stored: the end of 100,000 targets is one event. */
const PAGE_BYTES = 1024 * 1024;

/**
 * Sealed events, chain by chain ('': that of no project), in the order of their seals, and without a gap in it: between the first at or
 * after `since` and the last before `until` all are shown, though some are older or younger by as much as a transaction takes. What is
 * not sealed yet is left out.
 */
@Injectable()
export class EventExport implements ExportSource {
  readonly columns = [
    ...[
      'projectId',
      'seq',
      'eventId',
      'hash',
      'event.at',
      'event.kind',
      'event.actor',
      'event.keyId',
      'event.requestId',
    ],
    ...['event.callId', 'event.laneId', 'event.scheduleId', 'event.textHash', 'event.data', 'cursor'],
  ];

  private readonly edges: ChainEdges;

  constructor(private readonly prisma: RecordPrisma) {
    this.edges = new ChainEdges(prisma);
  }

  async scope(filter: ExportFilter): Promise<ExportScope> {
    return { ...scopeOf(filter), edges: await this.edges.around(filter) };
  }

  page(scope: ExportScope, after: string | null, limit: number): Promise<readonly string[]> {
    const [project, seq] = (after ?? ' 0').split(' ') as [string, string];
    const size = Prisma.sql`pg_column_size(e.data)`;
    return readLines(
      this.prisma,
      Prisma.sql`
      SELECT * FROM (
        SELECT s.project_id AS chain, s.seq, encode(s.hash, 'hex') AS hash,
               s.seq >= coalesce(edge.first, s.seq) AND s.seq <= coalesce(edge.last, s.seq) AS wanted,
               sum(${size}) OVER (ORDER BY s.project_id, s.seq) - ${size} AS before, ${EVENT_COLUMNS}
          FROM (${sealsAfter(scope, project, seq, limit)}) AS s
          CROSS JOIN LATERAL (SELECT * FROM event WHERE event.id = s.event_id OFFSET 0) AS e
          LEFT JOIN unnest(${scope.edges.map(({ projectId }) => projectId)}::text[], ${scope.edges.map(({ first }) => first)}::bigint[],
                           ${scope.edges.map(({ last }) => last)}::bigint[]) AS edge (project_id, first, last)
                 ON edge.project_id = s.project_id) AS sealed
       WHERE before < ${PAGE_BYTES}::int ORDER BY chain, seq`,
    );
  }

  keyOf(line: Line): string {
    const { chain, seq } = line as { chain: string; seq: number };
    return `${chain} ${seq}`;
  }

  keyOfCursor(cursor: string | undefined): string | null {
    return decodeCursor(cursor, (key) => {
      const [project = '', seq = '', ...more] = key.split(' ');
      const isChain = project === '' || isUpstreamId(project, ID_LENGTH.project);
      return more.length === 0 && isChain && /^[1-9]\d{0,17}$/.test(seq);
    });
  }

  /** What is no column of the event is none of its hash's: the line can be verified as it is. */
  toRow({ chain, seq, hash, wanted: _wanted, before: _before, ...event }: Line): Readonly<Record<string, unknown>> {
    return {
      projectId: chain,
      seq,
      eventId: event['id'],
      hash,
      event: eventFields({ ...event, at: momentOf(event['at']) } as EventRow),
    };
  }
}

/** As for ids in their order: Postgres is told where to begin, and by which index. What lies in archives is left out, though seals be left of it. */
function sealsAfter(
  { projects, idsFrom, idsBelow }: ExportScope,
  project: string,
  seq: string,
  limit: number,
): Prisma.Sql {
  const isHere = Prisma.sql`seq > coalesce((SELECT base_seq FROM seal_chain AS c WHERE c.project_id = event_seal.project_id), 0)`;
  const next = Prisma.sql`event_id >= ${idsFrom}::uuid AND event_id < ${idsBelow}::uuid AND ${isHere} ORDER BY project_id, seq LIMIT ${limit}::int`;
  if (projects === '*') {
    return Prisma.sql`SELECT * FROM event_seal WHERE (project_id, seq) > (${project}, ${seq}::bigint) AND ${next}`;
  }
  return Prisma.sql`
    SELECT probed.* FROM unnest(${[...projects]}::text[]) AS own (project)
      CROSS JOIN LATERAL (
           SELECT * FROM event_seal
            WHERE (project_id, seq) > (own.project, CASE own.project WHEN ${project} THEN ${seq}::bigint ELSE 0 END) AND ${next}) AS probed
     WHERE own.project >= ${project} AND project_id = own.project ORDER BY project_id, seq LIMIT ${limit}::int`;
}
