import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { SealGauges } from '../../../src/audit/seal-gauges.js';
import { PrismaService } from '../../../src/platform/prisma/prisma.service.js';
import { Metrics } from '../../../src/platform/telemetry/metrics.js';
import { sealEverything, someEvents } from '../../support/chains.js';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.js';

let database: TestDatabase;
let prisma: PrismaService;
let metrics: Metrics;

beforeEach(async () => {
  database = await createTestDatabase();
  prisma = new PrismaService(database.url, 4);
  metrics = new Metrics();
  new SealGauges(prisma, metrics).onModuleInit();
});
afterEach(async () => {
  await prisma.$disconnect();
  await database.drop();
});

/** As Prometheus scrapes them. */
async function gauges(): Promise<{ unsealed: number; lagSeconds: number }> {
  const text = await metrics.registry.metrics();
  const valueOf = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
  return { unsealed: valueOf('rescan_events_unsealed'), lagSeconds: valueOf('rescan_seal_lag_seconds') };
}

it('events that no chain has yet show, with the age of the first of them, until they are sealed', async () => {
  expect(await gauges()).toEqual({ unsealed: 0, lagSeconds: 0 });
  await someEvents(prisma, 3);
  await database.advance(60_000);
  await someEvents(prisma, 4, null);
  const before = await gauges();
  expect(before.unsealed).toBe(7);
  expect(before.lagSeconds).toBeGreaterThanOrEqual(60);
  expect(before.lagSeconds).toBeLessThan(120);

  await sealEverything(prisma);
  expect(await gauges()).toEqual({ unsealed: 0, lagSeconds: 0 });

  await someEvents(prisma, 1);
  const again = await gauges();
  expect(again.unsealed).toBe(1);
  expect(again.lagSeconds).toBeGreaterThan(0);
  expect(again.lagSeconds).toBeLessThan(60);
});
