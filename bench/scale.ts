import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { connectWithin } from '../src/platform/database/connect.js';
import { writeBacklog } from '../test/support/backlog.js';
import { createTestDatabase } from '../test/support/test-database.js';
import type { Benchmark } from './support/benchmark.js';
import { cpuSecondsOf } from './support/processes.js';
import type { Finding } from './support/report.js';
import { startServiceProcess } from './support/service.js';
import type { Stage } from './support/stage.js';
import { startUpstream } from './support/upstream.js';

const CREDENTIALS = [200, 400, 600];
const ENDPOINTS = 2;
const LIMIT = { calls: 5, windowMs: 60_000 };
const CLUSTERS_A_CALL = 200;
/**
 * Windows until the lanes have found their own phases, and then those that are measured: at first all of them send at the same moment,
 * and in each window those that had to wait for a turn of the CPU are a little later.
 */
const WINDOWS = { warmUp: 4, measured: 2 };
/** The first call of the first measured window, and that of the first one after the last. */
const [FROM, TO] = [WINDOWS.warmUp, WINDOWS.warmUp + WINDOWS.measured].map((window) => window * LIMIT.calls + 1) as [
  number,
  number,
];
const ALLOWED = 0.98;

export const scale: Benchmark = {
  name: 'scale',
  about: `${CREDENTIALS.join(', ')} credentials at their limits over ${ENDPOINTS} endpoints: what of the allowed rate is used, and the CPU for it (a quarter of an hour)`,
  run: async (stage) => {
    if (process.platform !== 'linux') throw new Error('CPU time is read from /proc: this benchmark needs Linux');
    const findings: Finding[] = [];
    for (const credentials of CREDENTIALS) {
      const seen = await atTheirLimits(stage, credentials);
      const { used, service, postgres } = seen;
      stage.say(
        `${credentials} credentials: ${used.toFixed(3)} of the allowed rate, ${service.toFixed(2)} + ${postgres.toFixed(2)} cores`,
      );
      findings.push(...report(credentials, seen));
      if (seen.used < ALLOWED) break;
    }
    return findings;
  },
};

interface Seen {
  /** Of the allowed rate, on the average of the lanes. */
  readonly used: number;
  readonly throttled: number;
  /** Cores of CPU time. */
  readonly service: number;
  readonly postgres: number;
}

async function atTheirLimits(stage: Stage, credentials: number): Promise<Seen> {
  const database = await createTestDatabase();
  const upstream = await startUpstream(stage, credentials, { limit: LIMIT, endpoints: ENDPOINTS });
  const client = await connectWithin(database.url, 5_000);
  const clustersPerTask = (TO + LIMIT.calls) * CLUSTERS_A_CALL;
  await writeBacklog(client, { first: 0, tasks: credentials, clustersPerTask, projects: credentials, mixed: false });
  await client.query('VACUUM ANALYZE target, request');
  const service = await startServiceProcess(stage, upstream, database.url);
  try {
    await until(client, FROM);
    const from = [performance.now(), await cpuSecondsOf(service.pid), await cpuSecondsOf(stage.postmasterPid)] as const;
    await until(client, TO);
    const seconds = (performance.now() - from[0]) / 1_000;
    const cores = async (pid: number, before: number): Promise<number> =>
      ((await cpuSecondsOf(pid)) - before) / seconds;
    return {
      ...(await usedOf(client)),
      service: await cores(service.pid, from[1]),
      postgres: await cores(stage.postmasterPid, from[2]),
    };
  } finally {
    await client.end();
    await service.close();
    await upstream.close();
  }
}

/** Until every lane has begun its n-th call. */
async function until(client: pg.Client, n: number): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ left: number }>(
      `SELECT count(*)::int AS left FROM lane
        WHERE operation = 'retryTask' AND (SELECT count(*) FROM call WHERE lane_id = lane.id) < $1`,
      [n],
    );
    if (rows[0]?.left === 0) return;
    await sleep(1_000);
  }
}

/** A lane at its limit begins call n + 10 two windows after call n. */
async function usedOf(client: pg.Client): Promise<Pick<Seen, 'used' | 'throttled'>> {
  const { rows } = await client.query<Pick<Seen, 'used' | 'throttled'>>(
    `WITH numbered AS (
       SELECT lane_id, started_at, state, row_number() OVER (PARTITION BY lane_id ORDER BY started_at, id) AS n FROM call),
     took AS (
       SELECT lane_id, extract(epoch FROM max(started_at) FILTER (WHERE n = $2) - max(started_at) FILTER (WHERE n = $1)) AS s
         FROM numbered GROUP BY lane_id)
     SELECT avg($3 / s)::float8 AS used, (SELECT count(*)::int FROM call WHERE state = 'throttled') AS throttled FROM took`,
    [FROM, TO, (WINDOWS.measured * LIMIT.windowMs) / 1_000],
  );
  const [seen] = rows;
  if (!seen) throw new Error('nothing was seen');
  return seen;
}

function report(credentials: number, { used, throttled, service, postgres }: Seen): Finding[] {
  const allowed = (credentials * LIMIT.calls * 1_000) / LIMIT.windowMs;
  const cores = (what: string, measured: number): Finding => ({
    what: `  ${what}, cores`,
    ours: measured.toFixed(2),
    floor: '',
    measured,
    target: null,
  });
  return [
    {
      what: `${credentials} credentials, calls a second`,
      ours: (used * allowed).toFixed(1),
      floor: allowed.toFixed(1),
      measured: used,
      target: { atLeast: ALLOWED },
    },
    { what: '  own 429', ours: String(throttled), floor: '0', measured: throttled, target: { atMost: 0 } },
    cores('service', service),
    cores('Postgres', postgres),
  ];
}
