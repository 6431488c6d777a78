import { Injectable } from '@nestjs/common';
import { Prisma } from '../generated/prisma/client.js';
import { bigintCursor, toPage, type Page } from '../platform/http/page.js';
import { RecordPrisma } from '../platform/prisma/record-prisma.js';
import { requireProject } from '../security/own.js';
import type { Principal } from '../security/principal.js';
import { HeadDto, HeadKeyDto, HeadQueryDto } from './head.dto.js';

const MAX_KEYS = 100;

@Injectable()
export class HeadReader {
  constructor(private readonly prisma: RecordPrisma) {}

  /** Newest first. @throws DomainError `not_found` for a project of others */
  async list({ projectId = '', limit, cursor }: HeadQueryDto, principal: Principal): Promise<Page<HeadDto>> {
    requireProject(projectId, principal);
    const before = bigintCursor(cursor);
    const rows = await this.prisma.$queryRaw<(Omit<HeadDto, 'seq' | 'at'> & { seq: bigint; time: Date })[]>`
      SELECT project_id AS "projectId", seq, encode(hash, 'hex') AS hash, at AS time, key_id AS "keyId",
             translate(encode(signature, 'base64'), E'\n', '') AS signature
        FROM seal_head
       WHERE project_id = ${projectId} ${before === null ? Prisma.empty : Prisma.sql`AND seq < ${before}::bigint`}
       ORDER BY seq DESC LIMIT ${limit + 1}::int`;
    const heads = rows.map(({ time, seq, ...head }) => ({ ...head, seq: Number(seq), at: time.toISOString() }));
    return toPage(heads, limit, ({ seq }) => String(seq));
  }

  keys(): Promise<HeadKeyDto[]> {
    return this.prisma.sealKey.findMany({ orderBy: { since: 'desc' }, take: MAX_KEYS });
  }
}
