import { expect } from '@jest/globals';
import type { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { BREACHES } from './breaches.js';

export async function expectInvariants(prisma: PrismaService): Promise<void> {
  const broken: Record<string, unknown> = {};
  for (const [name, query] of Object.entries(BREACHES)) {
    const rows = await prisma.$queryRawUnsafe<unknown[]>(query);
    if (rows.length > 0) broken[name] = rows.slice(0, 5);
  }
  expect(broken).toEqual({});
}
