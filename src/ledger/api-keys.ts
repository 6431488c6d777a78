import { Injectable } from '@nestjs/common';
import { PrismaService } from '../platform/prisma/prisma.service.js';

export interface ApiKeyRow {
  readonly id: string;
  readonly hash: Uint8Array;
  readonly caller: string;
  readonly scopes: string[];
  readonly projects: string[];
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

export interface NewApiKey {
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly caller: string;
  readonly scopes: readonly string[];
  /** "*" alone: every project. */
  readonly projects: readonly string[];
}

/** Keys of internal services. Only hashes come here: the keys themselves are shown once, and kept nowhere. */
@Injectable()
export class ApiKeyLedger {
  constructor(private readonly prisma: PrismaService) {}

  /** Also one that is revoked; null where there is none. */
  find(hash: Uint8Array<ArrayBuffer>): Promise<ApiKeyRow | null> {
    return this.prisma.apiKey.findUnique({ where: { hash } });
  }

  list(): Promise<ApiKeyRow[]> {
    return this.prisma.apiKey.findMany({ orderBy: { id: 'asc' } });
  }

  /** @returns its id; that of the key that is there already, where the same hash is */
  create(key: NewApiKey): Promise<string> {
    return this.prisma.transact(async (tx) => {
      const [row] = await tx.$queryRaw<{ id: string; fresh: boolean }[]>`
        INSERT INTO api_key (hash, caller, scopes, projects)
        VALUES (${key.hash}, ${key.caller}, ${[...key.scopes]}::text[], ${[...key.projects]}::text[])
        ON CONFLICT (hash) DO UPDATE SET revoked_at = api_key.revoked_at
        RETURNING id, old.id IS NULL AS fresh`;
      if (!row) throw new Error('a key was neither made nor found');
      if (row.fresh) {
        await tx.$executeRaw`
          INSERT INTO event (kind, actor, key_id, data)
          VALUES ('key.created', 'operator', ${row.id}::uuid,
                  ${{ caller: key.caller, scopes: [...key.scopes], projects: [...key.projects] }}::jsonb)`;
      }
      return row.id;
    });
  }

  /** @returns false where there is no such key, or it was revoked before */
  revoke(id: string): Promise<boolean> {
    return this.prisma.transact(async (tx) => {
      const revoked = await tx.$executeRaw`
        UPDATE api_key SET revoked_at = rescan_now() WHERE id = ${id}::uuid AND revoked_at IS NULL`;
      if (revoked === 0) return false;
      await tx.$executeRaw`
        INSERT INTO event (kind, actor, key_id, data) VALUES ('key.revoked', 'operator', ${id}::uuid, '{}')`;
      return true;
    });
  }
}
