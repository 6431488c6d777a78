import type pg from 'pg';
import { RollupLedger } from '../src/ledger/rollups.js';
import { SealLedger } from '../src/ledger/seals.js';
import { connectWithin } from '../src/platform/database/connect.js';
import { Sealer } from '../src/sealing/sealer.js';
import { aCredential, answered, CallingWorld, clusterIds, unlimited } from '../test/support/calling-world.js';
import { moveAll } from '../test/support/past-requests.js';
import { Random } from '../test/support/random.js';
import { createTestDatabase, type TestDatabase } from '../test/support/test-database.js';
import type { Benchmark } from './support/benchmark.js';
import { queriesOf, type Query } from './support/audit-queries.js';
import { CLUSTERS_A_CALL, writeRecord } from './support/record.js';
import { ms, type Finding } from './support/report.js';
import { acceptAll, readAll } from './support/scan-tasks.js';
import { startServiceProcess, type ServiceUnderTest } from './support/service.js';
import type { Stage } from './support/stage.js';
import { inTurns, median, quantile, timed } from './support/statistics.js';
import { startUpstream } from './support/upstream.js';

const SIZES = (process.env['BENCH_AUDIT_CALLS'] ?? '10000,100000,1000000').split(',').map(Number);
/** Enough for a p99 that is not one slow answer. */
const ROUNDS = { warmUp: 20, counted: 500 };
const SETTLED = { warmUp: 20, counted: 150 };
/** Of calls, from the request to the verdicts, as the service writes them, and vacuumed after each: what a row leaves behind is used again. */
const WAVES = { warmUp: 3, counted: 4, calls: 60 };

export const audit: Benchmark = {
  name: 'audit',
  about: `queries of the record and the settling of a call at ${SIZES.join(', ')} calls of ${CLUSTERS_A_CALL} clusters, and what a call costs on disk (half an hour; BENCH_AUDIT_CALLS=10000,100000)`,
  run: async (stage) => {
    const bytes = await bytesOnDisk();
    const grounds: Ground[] = [];
    try {
      for (const calls of SIZES) grounds.push(await open(stage, calls));
      return [...bytes, ...(await settling(grounds)), ...(await querying(stage, grounds))];
    } finally {
      for (const ground of grounds) await close(ground);
    }
  },
};

interface Ground {
  readonly calls: number;
  readonly database: TestDatabase;
  readonly client: pg.Client;
  readonly world: CallingWorld;
  readonly service: ServiceUnderTest;
  readonly upstream: Awaited<ReturnType<typeof startUpstream>>;
}

async function open(stage: Stage, calls: number): Promise<Ground> {
  const database = await createTestDatabase();
  const client = await connectWithin(database.url, 5_000);
  const tookMs = await timed(() => writeRecord(client, calls));
  const { rows } = await client.query<{ size: string }>(
    'SELECT pg_size_pretty(pg_database_size(current_database())) AS size',
  );
  stage.say(`${calls} calls written in ${Math.round(tookMs / 1_000)} s, ${rows[0]?.size}`);
  const world = await CallingWorld.open({ credentials: [aCredential({ retryTask: unlimited })], database });
  const upstream = await startUpstream(stage, 1);
  const service = await startServiceProcess(stage, upstream, database.url, { ROLE: 'api' });
  return { calls, database, client, world, service, upstream };
}

async function close({ client, world, service, upstream }: Ground): Promise<void> {
  await service.close();
  await upstream.close();
  await client.end();
  await world.close();
}

/** A call, from its request to the verdict of each of its clusters, by the service's own statements. */
async function bytesOnDisk(): Promise<Finding[]> {
  const limits = { retryTask: unlimited, listTasks: unlimited, listTaskResources: unlimited };
  const world = await CallingWorld.open({ credentials: [aCredential({ limits })] });
  const client = await connectWithin(world.database.url, 5_000);
  try {
    const sealer = new Sealer(world.prisma, new SealLedger(), new RollupLedger());
    const wave = async (n: number): Promise<Map<string, number>> => {
      const tasks = { first: n * WAVES.calls, tasks: WAVES.calls, sizeOf: () => CLUSTERS_A_CALL };
      await readAll(world, await acceptAll(world, new Random(n), tasks));
      while (await sealer.sealBatch());
      await client.query(
        `UPDATE callback SET state = 'given_up', due_at = NULL, finished_at = rescan_now() WHERE state = 'pending'`,
      );
      await moveAll(world.prisma);
      await client.query('VACUUM');
      return sizesOf(client);
    };
    const sizes: Map<string, number>[] = [];
    for (let n = 0; n < WAVES.warmUp + WAVES.counted; n += 1) sizes.push(await wave(n));
    const [before, after] = [sizes[WAVES.warmUp - 1] ?? new Map(), sizes.at(-1) ?? new Map()];
    const clusters = WAVES.counted * WAVES.calls * CLUSTERS_A_CALL;
    const cost = (tables: readonly string[]): number =>
      tables.reduce((sum, table) => sum + (after.get(table) ?? 0) - (before.get(table) ?? 0), 0) / clusters;
    const line = (what: string, tables: readonly string[]): Finding => {
      const measured = cost(tables);
      return { what, ours: `${measured.toFixed(0)} B`, floor: '', measured, target: null };
    };
    const record = ['call', 'call_request', 'call_tag', 'event', 'event_seal', 'event_text'];
    return [
      line('on disk, of a cluster sent', [...after.keys()]),
      line('  target and what its scans said', ['target', 'scan_item', 'past_target', 'cluster_scan']),
      line('  call, its requests and tags', ['call', 'call_request', 'call_tag']),
      line('  events and their seals', ['event', 'event_seal', 'event_text']),
      line(
        '  everything else',
        [...after.keys()].filter(
          (table) => !['target', 'scan_item', 'past_target', 'cluster_scan', ...record].includes(table),
        ),
      ),
    ];
  } finally {
    await client.end();
    await world.close();
  }
}

/** Bytes of each table with its indexes, of partitions those of their parent. */
async function sizesOf(client: pg.Client): Promise<Map<string, number>> {
  const { rows } = await client.query<{ name: string; size: string }>(
    `SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid)) AS size
       FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
      WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1`,
  );
  return new Map(rows.map(({ name, size }) => [name, Number(size)]));
}

/** Round by round at each size. */
async function settling(grounds: readonly Ground[]): Promise<Finding[]> {
  let round = 0;
  const settleOne = async ({ world }: Ground): Promise<number> => {
    round += 1;
    await world.aRequest({
      taskId: `fresh-${round}`,
      clusterIds: clusterIds(CLUSTERS_A_CALL, `fresh-${round}`),
      labels: { env: 'prod' },
    });
    const call = await world.start();
    return timed(() => world.settle(call, answered.accepted));
  };
  const seen = await inTurns(SETTLED, bySize(grounds, settleOne));
  return compared(grounds, seen, 'settling a call', 1.2, false);
}

async function querying(stage: Stage, grounds: readonly Ground[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  const queries = new Map<Ground, readonly Query[]>();
  for (const ground of grounds) queries.set(ground, await queriesOf(ground.client));
  for (const [index, { name, atMost }] of (queries.values().next().value ?? []).entries()) {
    const ask = (ground: Ground): Promise<number> => {
      const path = queries.get(ground)?.[index]?.path() ?? '';
      return timed(() => ground.service.get(path));
    };
    const seen = await inTurns(ROUNDS, bySize(grounds, ask));
    findings.push(...compared(grounds, seen, name, atMost, true));
    stage.say(name);
  }
  return findings;
}

const bySize = (
  grounds: readonly Ground[],
  measure: (ground: Ground) => Promise<number>,
): Record<string, () => Promise<number>> =>
  Object.fromEntries(grounds.map((ground) => [String(ground.calls), () => measure(ground)]));

/** Each larger size against the smallest. */
function compared(
  [smallest, ...larger]: readonly Ground[],
  seen: Readonly<Record<string, readonly number[]>>,
  name: string,
  atMost: number,
  withTail: boolean,
): Finding[] {
  const of = (ground: Ground | undefined): readonly number[] => seen[String(ground?.calls)] ?? [];
  const tail = (values: readonly number[]): number => quantile(values, 0.99);
  return larger.flatMap((ground) =>
    (withTail
      ? ([
          ['p50', median],
          ['p99', tail],
        ] as const)
      : ([['p50', median]] as const)
    ).map(([which, statistic]) => {
      const [ours, floor] = [statistic(of(ground)), statistic(of(smallest))];
      return {
        what: `${name}, ${which} at ${ground.calls}`,
        ours: ms(ours),
        floor: ms(floor),
        measured: ours / floor,
        target: { atMost },
      };
    }),
  );
}
