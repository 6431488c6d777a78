import { PastRequestLedger } from '../../src/ledger/past-requests.js';
import type { PrismaService } from '../../src/platform/prisma/prisma.service.js';

/** All requests that have ended, just now or long ago. */
export async function moveAll(prisma: PrismaService): Promise<void> {
  const past = new PastRequestLedger(prisma);
  while ((await past.move(0)) > 0);
}
