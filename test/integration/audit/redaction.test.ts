import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';
import type { CallOutcome } from '../../../src/domain/call-outcome.js';
import { EventLedger } from '../../../src/ledger/events.js';
import { PastRequestLedger } from '../../../src/ledger/past-requests.js';
import { RedactionLedger } from '../../../src/ledger/redactions.js';
import { verifyDatabase } from '../../../src/verifying/verify.js';
import { sealEverything } from '../../support/chains.js';
import { answered, CallingWorld } from '../../support/calling-world.js';

const TEXT = 'user jane.doe@example.com has no such task';
const HASH = createHash('sha256').update(TEXT).digest('hex');
const MARK = `[redacted sha256:${HASH}]`;
const actor = { caller: 'operator', keyId: randomUUID() };

const saying = <T extends CallOutcome>(outcome: T): T => ({
  ...outcome,
  evidence: { ...outcome.evidence, errorText: TEXT },
});

let world: CallingWorld;
let redactions: RedactionLedger;
beforeEach(async () => {
  world = await CallingWorld.open({ policy: { maxAttempts: 1 } });
  redactions = new RedactionLedger(world.prisma, new EventLedger(world.prisma));
});
afterEach(() => world.close());

/** Where it stands in any column of any table. */
async function placesOf(text: string): Promise<string[]> {
  const tables = await world.prisma.$queryRaw<{ name: string }[]>`
    SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
       AND relnamespace = 'public'::regnamespace ORDER BY relname`;
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await world.prisma.$queryRawUnsafe<{ n: number }[]>(
      `SELECT count(*)::int AS n FROM "${name}" AS t WHERE position($1 IN t::text) > 0`,
      text,
    );
    if (row && row.n > 0) found.push(name);
  }
  return found;
}

async function isWhole(): Promise<void> {
  await sealEverything(world.prisma);
  const { findings, events } = await verifyDatabase(world.prisma, { heads: [], publicKey: null, isPart: false });
  expect(findings).toEqual([]);
  expect(events).toBe(await world.prisma.event.count());
}

async function asked(outcome: CallOutcome, clusterId: string): Promise<void> {
  await world.aRequest({ clusterIds: [clusterId] });
  await world.startAndSettle(outcome);
}

describe('a text of the upstream that is redacted', () => {
  it('is gone from every table, also where another text quotes it, and the chain still verifies', async () => {
    await asked(saying(answered.badTask), 'a');
    await asked(saying(answered.agentOffline), 'b');
    await isWhole();
    expect(await placesOf(TEXT)).toEqual(['call', 'event_text', 'lane', 'target']);

    await redactions.redact(HASH, 'a name in it', actor);
    expect(await placesOf(TEXT)).toEqual([]);
    const reasons = await world.prisma.target.findMany({ select: { reasonText: true }, orderBy: { id: 'asc' } });
    expect(reasons.map(({ reasonText }) => reasonText)).toEqual([MARK, `The last answer: 400 HSS.1007 ${MARK}`]);
    const event = await world.prisma.event.findFirst({ where: { kind: 'text.redacted' } });
    expect(event).toMatchObject({ actor: 'operator', data: { hash: HASH, reason: 'a name in it' } });
    await isWhole();
  });

  it('is gone from requests that were moved as well, and from what scans said of them', async () => {
    await asked(saying(answered.badTask), 'a');
    await asked(saying(answered.agentOffline), 'b');
    await world.prisma.$executeRaw`
      INSERT INTO scan_item (target_id, round, call_id, scan_type, status, reason)
      SELECT id, 1, uuidv7(), type, 'failed', reason FROM target CROSS JOIN (VALUES ('one', ${TEXT}), ('other', 'timeout')) AS item (type, reason)
       WHERE cluster_id = 'a'`;
    await world.prisma.$executeRaw`UPDATE callback SET state = 'given_up', due_at = NULL, finished_at = now()`;
    expect(await new PastRequestLedger(world.prisma).move(0)).toBe(2);
    expect(await placesOf(TEXT)).toEqual(['call', 'event_text', 'lane', 'past_target']);

    await redactions.redact(HASH, 'a name in it', actor);
    expect(await placesOf(TEXT)).toEqual([]);
    const targets = await world.prisma.pastTarget.findMany({ orderBy: { id: 'asc' } });
    expect(targets.map(({ reasonText }) => reasonText)).toEqual([MARK, `The last answer: 400 HSS.1007 ${MARK}`]);
    expect(targets[0]?.scanItems).toMatchObject([
      { scanType: 'one', reason: MARK },
      { scanType: 'other', reason: 'timeout' },
    ]);
    await isWhole();
  });

  it('is not stored again when it comes again', async () => {
    await asked(saying(answered.badTask), 'a');
    await redactions.redact(HASH, 'a name in it', actor);
    await asked(saying(answered.badTask), 'b');
    await asked(saying(answered.agentOffline), 'c');
    expect(await placesOf(TEXT)).toEqual([]);
    const calls = await world.prisma.call.findMany({ select: { errorText: true } });
    expect(calls.map(({ errorText }) => errorText)).toEqual([MARK, MARK, MARK]);
    await isWhole();
  });

  it('is not stored by an answer that is settled just then', async () => {
    await asked(saying(answered.badTask), 'a');
    const settling = world.prisma.transact(async (tx) => {
      const outcome = await redactions.withoutRedacted(tx, saying(answered.badTask));
      await tx.$executeRaw`SELECT pg_sleep(1)`;
      await tx.$executeRaw`UPDATE lane SET last_error_text = ${outcome.evidence.errorText}`;
      return outcome.evidence.errorText;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await redactions.redact(HASH, 'a name in it', actor);
    expect(await settling).toBe(TEXT);
    expect(await placesOf(TEXT)).toEqual([]);
  });

  it('is redacted once, and goes on where it was interrupted', async () => {
    await asked(saying(answered.badTask), 'a');
    await world.prisma.$executeRaw`UPDATE event_text SET redacted_at = now() WHERE text = ${TEXT}`;
    await redactions.redact(HASH, 'first', actor);
    await redactions.redact(HASH, 'again', actor);
    expect(await placesOf(TEXT)).toEqual([]);
    expect(await world.prisma.event.count({ where: { kind: 'text.redacted' } })).toBe(1);
  });

  it('is redacted by those alone who may see all events that speak of it', async () => {
    await asked(saying(answered.badTask), 'a');
    expect(await redactions.isWithin(HASH, '*')).toBe(true);
    expect(await redactions.isWithin(HASH, ['project-1', 'project-2'])).toBe(true);
    expect(await redactions.isWithin(HASH, ['project-2'])).toBe(false);
    expect(await redactions.isWithin('00'.repeat(32), '*')).toBeNull();
  });
});
