import { Module, type DynamicModule } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { AuditModule } from '../../src/audit/audit.module.js';
import { LedgerModule } from '../../src/ledger/ledger.module.js';
import { Clock } from '../../src/platform/clock.js';
import { createHttpApp } from '../../src/platform/http/create-app.js';
import { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { RecordPrisma } from '../../src/platform/prisma/record-prisma.js';
import { Metrics } from '../../src/platform/telemetry/metrics.js';
import { SecurityModule } from '../../src/security/security.module.js';
import { ApiClient } from './api-client.js';

const POOL_SIZE = 4;

@Module({})
class Ground {}

@Module({})
class AuditRooms {
  static over(url: string, prisma: PrismaService): DynamicModule {
    const record = new RecordPrisma(url, POOL_SIZE);
    const providers = [
      { provide: PrismaService, useValue: prisma },
      { provide: RecordPrisma, useValue: record },
      Clock,
      Metrics,
    ];
    const ground = { module: Ground, global: true, providers, exports: providers };
    return { module: AuditRooms, imports: [ground, LedgerModule, SecurityModule, AuditModule] };
  }
}

export interface AuditApp {
  /** What the service would log as its own fault. */
  readonly faults: unknown[];
  /** With a fresh key of the scope `audit:read`. */
  client(key?: { caller?: string; scopes?: readonly string[]; projects?: readonly string[] }): Promise<ApiClient>;
  close(): Promise<void>;
}

/** The audit routes over real HTTP, with the keys and the ledger of the service; nothing of the queue. */
export async function openAuditApp(databaseUrl: string): Promise<AuditApp> {
  const prisma = new PrismaService(databaseUrl, POOL_SIZE);
  const faults: unknown[] = [];
  const hear = (fields: Record<string, unknown>) => void faults.push(fields);
  const app = await createHttpApp(AuditRooms.over(databaseUrl, prisma), { log: { warn: hear, error: hear } });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    faults,
    client: async ({ caller = 'auditor', scopes = ['audit:read'], projects = ['*'] } = {}) => {
      const key = `rescan_${randomBytes(32).toString('base64url')}`;
      const hash = new Uint8Array(createHash('sha256').update(key).digest());
      await prisma.apiKey.create({ data: { hash, caller, scopes: [...scopes], projects: [...projects] } });
      return new ApiClient(url, key);
    },
    close: () => app.close(),
  };
}
