import { expect } from '@jest/globals';
import { createHash } from 'node:crypto';
import pg from 'pg';
import { RollupLedger } from '../../src/ledger/rollups.js';
import { SealLedger } from '../../src/ledger/seals.js';
import type { PrismaService } from '../../src/platform/prisma/prisma.service.js';
import { Sealer } from '../../src/sealing/sealer.js';
import { eventually } from './eventually.js';

interface Row {
  readonly project_id: string;
  readonly seq: string;
  readonly event_id: string;
  readonly hash: Buffer;
  readonly said: object;
}

/** `n` events of a project, committed by one statement. */
export function someEvents(prisma: Pick<PrismaService, '$executeRaw'>, n: number, projectId: string | null = 'p-1') {
  return prisma.$executeRaw`
    INSERT INTO event (kind, actor, project_id, data)
    SELECT 'test.happened', 'tester', ${projectId}, jsonb_build_object('n', i, 'é', 'ü', 'nested', jsonb_build_object('b', 1.50, 'a', NULL))
      FROM generate_series(1, ${n}::int) AS i`;
}

/** Until no event is without a seal: transactions of other tests, in other databases of the server, hold the horizon too. */
export async function sealEverything(prisma: PrismaService, limit?: number): Promise<void> {
  const sealer = new Sealer(prisma, new SealLedger(), new RollupLedger());
  const isDone = async (): Promise<boolean> => {
    while (await sealer.sealBatch(limit));
    const [row] = await prisma.$queryRaw<{ open: boolean }[]>`
      SELECT EXISTS (SELECT 1 FROM event AS e WHERE NOT EXISTS (SELECT 1 FROM event_seal AS s WHERE s.event_id = e.id)) AS open`;
    return row?.open === false;
  };
  await eventually(isDone, { limitMs: 60_000 });
}

/** Worked out by other means than the service does: what the chains must be, read with SQL, hashed by another hand. */
export async function expectChains(url: string): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Row>(`
      SELECT s.project_id, s.seq, s.event_id, s.hash,
             jsonb_strip_nulls(jsonb_build_object('id', e.id, 'tx', e.tx::text, 'kind', e.kind, 'actor', e.actor, 'keyId', e.key_id,
               'at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'projectId', e.project_id,
               'requestId', e.request_id, 'callId', e.call_id, 'laneId', e.lane_id, 'scheduleId', e.schedule_id,
               'textHash', encode(e.text_hash, 'hex'))) || jsonb_build_object('data', e.data) AS said
        FROM event_seal AS s JOIN event AS e ON e.id = s.event_id ORDER BY s.project_id, s.seq, s.event_id`);
    const lengths: Record<string, number> = {};
    let previous: Buffer = Buffer.alloc(0);
    for (const row of rows) {
      const seq = (lengths[row.project_id] = (lengths[row.project_id] ?? 0) + 1);
      if (seq === 1) previous = sha256(`rescan.event-chain.v1:${row.project_id}`);
      expect(Number(row.seq)).toBe(seq);
      previous = sha256(Buffer.concat([previous, Buffer.from(sorted(row.said))]));
      expect([row.project_id, row.seq, row.hash.toString('hex')]).toEqual([
        row.project_id,
        row.seq,
        previous.toString('hex'),
      ]);
    }
    const { rows: once } = await client.query(`
      SELECT (SELECT count(*)::int FROM event_seal) AS seals, (SELECT count(DISTINCT event_id)::int FROM event_seal) AS events,
             (SELECT coalesce(sum(seq), 0)::int FROM seal_chain) AS ends`);
    expect(once).toEqual([{ seals: rows.length, events: rows.length, ends: rows.length }]);
    return lengths;
  } finally {
    await client.end();
  }
}

const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest();

function sorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${parts.map(([key, part]) => `${JSON.stringify(key)}:${sorted(part)}`).join(',')}}`;
}
