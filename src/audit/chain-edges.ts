import { Prisma } from '../generated/prisma/client.js';
import type { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { idsAround, type ChainEdge, type ExportFilter } from './export-scope.js';

/** Of one chain, around a moment. */
interface Edge {
  readonly projectId: string;
  /** The last of those before the moment, or what is before all of them. */
  readonly before: bigint;
  /** The first of those from the moment on, or what is after all of them. */
  readonly from: bigint;
}

/**
 * Where in a chain a time begins and ends. Events stand in it in the order of their transactions' numbers, not of their times: of two at
 * once, the later may stand first.
 */
export class ChainEdges {
  constructor(private readonly prisma: RecordPrisma) {}

  async around({ projects, since, until }: ExportFilter): Promise<ChainEdge[]> {
    // First: what is sealed meanwhile may lie beyond `until`, or not, and is left out.
    const ends = until === null ? new Map<string, bigint>() : await this.ends(projects);
    const [firsts, lasts] = [await this.at(since, projects), await this.at(until, projects)];
    const ids = new Set([...firsts.keys(), ...lasts.keys(), ...ends.keys()]);
    const placeOf = (seq: bigint | undefined): number | null => (seq === undefined ? null : Number(seq));
    return [...ids].map((projectId) => ({
      projectId,
      first: placeOf(firsts.get(projectId)?.from),
      last: placeOf(lasts.get(projectId)?.before ?? ends.get(projectId)),
    }));
  }

  private async ends(projects: readonly string[] | '*'): Promise<Map<string, bigint>> {
    const isAsked = projects === '*' ? Prisma.sql`true` : Prisma.sql`project_id = ANY(${[...projects]}::text[])`;
    const chains = await this.prisma.$queryRaw<{ projectId: string; seq: bigint }[]>`
      SELECT project_id AS "projectId", seq FROM seal_chain WHERE ${isAsked}`;
    return new Map(chains.map(({ projectId, seq }) => [projectId, seq]));
  }

  private async at(moment: Date | null, projects: readonly string[] | '*'): Promise<Map<string, Edge>> {
    if (moment === null) return new Map();
    const [lower, upper] = idsAround(moment);
    const isAsked = projects === '*' ? Prisma.sql`true` : Prisma.sql`s.project_id = ANY(${[...projects]}::text[])`;
    const edges = await this.prisma.$queryRaw<Edge[]>`
      SELECT s.project_id AS "projectId",
             coalesce(max(s.seq) FILTER (WHERE e.at < ${moment}::timestamptz), min(s.seq) - 1) AS before,
             coalesce(min(s.seq) FILTER (WHERE e.at >= ${moment}::timestamptz), max(s.seq) + 1) AS from
        FROM event_seal AS s CROSS JOIN LATERAL (SELECT at FROM event WHERE event.id = s.event_id OFFSET 0) AS e
       WHERE s.event_id >= ${lower}::uuid AND s.event_id < ${upper}::uuid AND ${isAsked}
       GROUP BY s.project_id`;
    return new Map(edges.map((edge) => [edge.projectId, edge]));
  }
}
