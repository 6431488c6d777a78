import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { defaultRetryPolicy } from '../src/domain/retry-policy.js';
import { ApiKeyLedger } from '../src/ledger/api-keys.js';
import { connectWithin } from '../src/platform/database/connect.js';
import { PrismaService } from '../src/platform/prisma/prisma.service.js';
import { uuidFrom } from '../src/simulator/chance.js';
import type { ScenarioInput } from '../src/simulator/simulator.js';
import { hashOfKey } from '../src/security/api-keys.js';
import { eventually } from '../test/support/eventually.js';
import { createTestDatabase } from '../test/support/test-database.js';
import { boundsOf } from './busy-hour/bounds.js';
import { busyHour, CALLS_A_WINDOW, WINDOW_MS, type BusyHour, type WantedRequest } from './busy-hour/busy-hour.js';
import { SCAN_MS } from './busy-hour/listing-model.js';
import { RescanModel } from './busy-hour/rescan-model.js';
import { TAKEN } from './busy-hour/rules.js';
import type { Benchmark } from './support/benchmark.js';
import type { Finding } from './support/report.js';
import { startServiceProcess, type ServiceUnderTest } from './support/service.js';
import type { Stage } from './support/stage.js';
import { median } from './support/statistics.js';
import { projectOf, startUpstream } from './support/upstream.js';

const SEED = 1;
const LOADS = [0.6, 1.5];
/** So much shorter than in the model: a window of 6 s. */
const SCALE = 10;
const LIMIT_MS = 600_000;

export const hour: Benchmark = {
  name: 'hour',
  about: `the busy hour of bench:calls with the whole service, ten times as fast, against the model (seed ${SEED}; takes a quarter of an hour)`,
  run: async (stage) => {
    const findings: Finding[] = [];
    for (const load of LOADS) findings.push(...(await runHour(stage, load)));
    return findings;
  },
};

const scaled = (ms: number): string => `${Math.round(ms / SCALE)}ms`;
const FASTER = {
  LINGER: scaled(defaultRetryPolicy.lingerMs),
  LISTING_HOLD: scaled(defaultRetryPolicy.listing.holdMs),
  LISTING_KEEP: scaled(defaultRetryPolicy.listing.keepMs),
  // As if the verdict came with the end of the scan.
  VERDICT_TIMEOUT: scaled(SCAN_MS),
};

/** Every wanted cluster has failed, and scans well after its retry. */
const worldOf = ({ tasks }: BusyHour): Pick<ScenarioInput, 'tasks' | 'scans'> => ({
  tasks: tasks.map(({ id, failed }) => ({ projectId: projectOf(0), taskId: `task-${id}`, failedClusters: failed })),
  scans: { successRate: 1, stuckRate: 0, minMs: SCAN_MS / SCALE, maxMs: SCAN_MS / SCALE },
});

async function runHour(stage: Stage, load: number): Promise<Finding[]> {
  const wanted = busyHour(SEED, load, false);
  const model = new RescanModel(wanted, TAKEN).run();
  const database = await createTestDatabase();
  const upstream = await startUpstream(stage, 1, {
    limit: { calls: CALLS_A_WINDOW, windowMs: WINDOW_MS / SCALE },
    known: worldOf(wanted),
  });
  const service = await startServiceProcess(stage, upstream, database.url, FASTER);
  const client = await connectWithin(database.url, 5_000);
  try {
    await play(wanted, service, await admit(wanted, database.url));
    await eventually(() => isThrough(client), { limitMs: LIMIT_MS, everyMs: 500 });
    const seen = await measured(client);
    const [of, to] = [`load ${load}: `, SCALE / 1_000];
    const plain = (what: string, ours: number, theirs: number): Finding => ({
      what: of + what,
      ours: ours.toFixed(1),
      floor: theirs.toFixed(1),
      measured: ours / theirs,
      target: null,
    });
    return [
      plain('calls, against the model', seen.calls, model.calls),
      plain('calls, against the fewest', seen.calls, boundsOf(wanted).fewestCalls),
      plain('end, in seconds of the hour', seen.endMs * to, model.end / 1_000),
      plain('median time to accepted, in seconds of the hour', seen.p50Ms * to, median(model.normal) / 1_000),
      {
        what: `${of}own 429`,
        ours: String(seen.throttled),
        floor: '0',
        measured: seen.throttled,
        target: { atMost: 0 },
      },
      plain('a slot is used so late, ms, against its window', seen.lateMs, WINDOW_MS / SCALE),
    ];
  } finally {
    await client.end();
    await service.close();
    await upstream.close();
  }
}

/** A key for each caller. */
async function admit({ requests }: BusyHour, databaseUrl: string): Promise<(request: WantedRequest) => string> {
  const keyOf = ({ caller }: { caller: string }): string => `rescan_benchmark-key-of-${caller}-that-opens-nothing`;
  const prisma = new PrismaService(databaseUrl, 1);
  const ledger = new ApiKeyLedger(prisma);
  for (const caller of new Set(requests.map((request) => request.caller))) {
    await ledger.create({ hash: hashOfKey(keyOf({ caller })), caller, scopes: ['requests:write'], projects: ['*'] });
  }
  await prisma.$disconnect();
  return keyOf;
}

async function play(
  { requests }: BusyHour,
  service: ServiceUnderTest,
  keyOf: (request: WantedRequest) => string,
): Promise<void> {
  const from = performance.now();
  const under: Promise<void>[] = [];
  for (const request of requests) {
    await sleep(Math.max(0, request.at / SCALE - (performance.now() - from)));
    under.push(service.post('/v1/requests', bodyOf(request), 202, keyOf(request)));
  }
  await Promise.all(under);
}

function bodyOf({ task, from, to, priority }: WantedRequest): string {
  const clusterIds = Array.from({ length: to - from }, (_one, n) => uuidFrom('cluster', `task-${task.id}`, from + n));
  const wish = { projectId: projectOf(0), taskId: `task-${task.id}`, range: 'specific_cluster', clusterIds };
  return JSON.stringify({ ...wish, priority: priority === 0 ? 'urgent' : 'normal' });
}

/** What waits for a cluster that was accepted for another waits for its verdict, and counts as through. */
async function isThrough(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ left: boolean }>(`
    SELECT EXISTS (SELECT 1 FROM target WHERE state = 'waiting' AND due_at < 'infinity')
        OR EXISTS (SELECT 1 FROM call WHERE state = 'sending') AS left`);
  return rows[0]?.left === false;
}

interface Seen {
  readonly calls: number;
  readonly throttled: number;
  readonly endMs: number;
  readonly p50Ms: number;
  /** From the moment at which a slot is free to the next start, where work waits for it. */
  readonly lateMs: number;
}

async function measured(client: pg.Client): Promise<Seen> {
  const { rows } = await client.query<Seen>(`
    WITH accepted AS (
      SELECT t.scan_task_id, t.cluster_id, min(c.finished_at) AS at
        FROM target AS t JOIN call AS c ON c.id = ANY (t.call_ids) AND c.state = 'accepted' GROUP BY 1, 2),
    through AS (
      SELECT r.id, r.priority, r.created_at, greatest(r.created_at, max(accepted.at)) AS at
        FROM request AS r JOIN target AS t ON t.request_id = r.id JOIN accepted USING (cluster_id)
       WHERE accepted.scan_task_id = t.scan_task_id GROUP BY r.id),
    started AS (
      SELECT extract(epoch FROM started_at - lag(slot_free_at, ${CALLS_A_WINDOW}) OVER (ORDER BY started_at)) * 1000 AS late
        FROM call)
    SELECT (SELECT count(*)::int FROM call) AS calls,
           (SELECT count(*)::int FROM call WHERE state = 'throttled') AS throttled,
           (SELECT extract(epoch FROM max(at) - min(created_at))::float8 * 1000 FROM through) AS "endMs",
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM at - created_at))::float8 * 1000
              FROM through WHERE priority = 1) AS "p50Ms",
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late)::float8 FROM started WHERE late > 0) AS "lateMs"`);
  const [seen] = rows;
  if (!seen) throw new Error('nothing was seen');
  return seen;
}
