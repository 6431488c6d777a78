import { ApiKeyLedger } from '../ledger/api-keys.js';
import { PrismaService } from '../platform/prisma/prisma.service.js';
import { hashOfKey } from '../security/api-keys.js';
import { SCOPES } from '../security/principal.js';

/** Lets the development key in, with every scope and every project; nothing happens when it is in already. */
export async function admitKey(databaseUrl: string, key: string): Promise<void> {
  const prisma = new PrismaService(databaseUrl, 1);
  try {
    const ledger = new ApiKeyLedger(prisma);
    await ledger.create({ hash: hashOfKey(key), caller: 'developer', scopes: SCOPES, projects: ['*'] });
  } finally {
    await prisma.$disconnect();
  }
}
