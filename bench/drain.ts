import type pg from 'pg';
import { loadCredentials } from '../src/config/credentials-file.js';
import { connectWithin } from '../src/platform/database/connect.js';
import { eventually } from '../test/support/eventually.js';
import { createTestDatabase } from '../test/support/test-database.js';
import { clear, writeBacklog } from '../test/support/backlog.js';
import type { Benchmark } from './support/benchmark.js';
import { DrainFloor } from './support/drain-floor.js';
import { perSecond, type Finding } from './support/report.js';
import { startServiceProcess, type ServiceUnderTest } from './support/service.js';
import type { Stage } from './support/stage.js';
import { inTurns, median } from './support/statistics.js';
import { startUpstream } from './support/upstream.js';

const LANES = 10;
const REQUESTS = 100;
const CLUSTERS = 1_000;
const ROUNDS = { warmUp: 1, counted: 5 };
/** What the service has out at once: 8 looks at a time (WORKER_CONCURRENCY), each with at most 8 calls; one lane has one look. */
const IN_FLIGHT = { many: 64, one: 8 };
const LIMIT_MS = 120_000;

export const drain: Benchmark = {
  name: 'drain',
  about: `calls a second with limits off: ${REQUESTS} requests of ${CLUSTERS} clusters over ${LANES} lanes, and over one, against a loop that chooses nothing`,
  run: runDrain,
};

async function runDrain(stage: Stage): Promise<Finding[]> {
  const database = await createTestDatabase();
  const upstream = await startUpstream(stage, LANES);
  // A listing would only be waited for: nothing is known of these scan tasks.
  const service = await startServiceProcess(stage, upstream, database.url, { LISTING_HOLD: '1ms' });
  const client = await connectWithin(database.url, 5_000);
  const credentials = loadCredentials(upstream.credentialsFile, upstream.env);
  const drains = new Drains(client, service);
  const [many, everyRow, one] = [
    new DrainFloor(database.url, credentials, { inFlight: IN_FLIGHT.many, everyRow: false }),
    new DrainFloor(database.url, credentials, { inFlight: IN_FLIGHT.many, everyRow: true }),
    new DrainFloor(database.url, credentials, { inFlight: IN_FLIGHT.one, everyRow: false }),
  ];
  try {
    const seen = await inTurns(ROUNDS, {
      ours: () => drains.ours(LANES),
      floor: () => drains.floors(many, LANES),
      everyRow: () => drains.floors(everyRow, LANES),
      oursAlone: () => drains.ours(1),
      floorAlone: () => drains.floors(one, 1),
    });
    for (const [name, rates] of Object.entries(seen)) stage.say(`${name}: ${rates.map(perSecond).join(' ')}`);
    return [
      finding(`drain over ${LANES} lanes, calls`, seen.ours, seen.floor, { atLeast: 0.3 }),
      finding('  the floor with every row that we write', seen.ours, seen.everyRow, null),
      finding('drain over one lane, calls', seen.oursAlone, seen.floorAlone, null),
    ];
  } finally {
    await Promise.all([many, everyRow, one].map((floor) => floor.close()));
    await client.end();
    await service.close();
  }
}

function finding(
  what: string,
  rates: readonly number[],
  floors: readonly number[],
  target: Finding['target'],
): Finding {
  const [ours, floor] = [median(rates), median(floors)];
  return { what, ours: perSecond(ours), floor: perSecond(floor), measured: ours / floor, target };
}

/** Each gives calls a second, from the first start to the last end as the database saw them. */
class Drains {
  constructor(
    private readonly client: pg.Client,
    private readonly service: ServiceUnderTest,
  ) {}

  async ours(lanes: number): Promise<number> {
    await this.eachLane('pause');
    await this.refill(lanes);
    await this.eachLane('resume');
    await eventually(() => this.isDrained(), { limitMs: LIMIT_MS, everyMs: 100 });
    return this.callsPerSecond();
  }

  /** The lanes are paused: the service idles. */
  async floors(floor: DrainFloor, lanes: number): Promise<number> {
    await this.eachLane('pause');
    await this.refill(lanes);
    await floor.prepare();
    await floor.drain();
    return this.callsPerSecond();
  }

  private async refill(lanes: number): Promise<void> {
    await clear(this.client);
    const size = { first: 0, tasks: REQUESTS, clustersPerTask: CLUSTERS };
    await writeBacklog(this.client, { ...size, projects: lanes, mixed: false });
    await this.client.query('VACUUM ANALYZE target, request');
    await this.client.query('CHECKPOINT');
  }

  private async eachLane(what: 'pause' | 'resume'): Promise<void> {
    const lanes = Array.from({ length: LANES }, (_one, lane) => `lane-${lane}.retryTask`);
    await Promise.all(lanes.map((lane) => this.service.post(`/v1/lanes/${lane}/${what}`, null, 200)));
  }

  private async isDrained(): Promise<boolean> {
    const { rows } = await this.client.query<{ open: number }>(
      'SELECT sum(waiting + sending)::int AS open FROM request',
    );
    return rows[0]?.open === 0;
  }

  private async callsPerSecond(): Promise<number> {
    const { rows } = await this.client.query<{ rate: number; accepted: number }>(
      `SELECT count(*) / extract(epoch FROM max(finished_at) - min(started_at))::float8 AS rate,
              sum(cluster_count) FILTER (WHERE state = 'accepted')::int AS accepted FROM call`,
    );
    const [row] = rows;
    if (row?.accepted !== REQUESTS * CLUSTERS) throw new Error(`${row?.accepted ?? 0} clusters were accepted`);
    return row.rate;
  }
}
