import { readFile } from 'node:fs/promises';
import { connectWithin } from '../src/platform/database/connect.js';
import { eventually } from '../test/support/eventually.js';
import { createTestDatabase } from '../test/support/test-database.js';
import type { Benchmark } from './support/benchmark.js';
import { childrenOf } from './support/processes.js';
import { megabytes, type Finding } from './support/report.js';
import { startServiceProcess } from './support/service.js';
import type { Stage } from './support/stage.js';
import { clusterIdOf } from './support/cluster-id.js';
import { projectOf, startUpstream } from './support/upstream.js';

const CLUSTERS = 100_000;
const LIMIT_MB = 300;
const DRAIN_LIMIT_MS = 180_000;

export const memory: Benchmark = {
  name: 'memory',
  about: `peak memory of the whole service (ROLE=all, queue in Postgres) while one request of ${CLUSTERS} clusters comes in and drains`,
  run: runMemory,
};

async function runMemory(stage: Stage): Promise<Finding[]> {
  if (process.platform !== 'linux') throw new Error('memory is read from /proc: this benchmark needs Linux');
  const database = await createTestDatabase();
  const upstream = await startUpstream(stage, 1);
  const service = await startServiceProcess(stage, upstream, database.url);
  const client = await connectWithin(database.url, 5_000);
  const idle = await statusOf(service.pid, 'VmRSS');
  const postgres = new PeakOfPostgres(stage.postmasterPid);
  try {
    const clusterIds = Array.from({ length: CLUSTERS }, (_one, index) => clusterIdOf(String(index)));
    const wish = { projectId: projectOf(0), taskId: 'large', range: 'specific_cluster', clusterIds };
    await service.post('/v1/requests', JSON.stringify(wish), 202);
    const afterSubmit = await statusOf(service.pid, 'VmHWM');
    await eventually(
      async () => {
        await postgres.sample();
        const { rows } = await client.query<{ left: number }>('SELECT waiting + sending AS left FROM request');
        return rows[0]?.left === 0;
      },
      { limitMs: DRAIN_LIMIT_MS, everyMs: 200 },
    );
    const peak = await statusOf(service.pid, 'VmHWM');
    return [
      finding('service at its peak, MB', peak, idle, { atMost: LIMIT_MB }),
      finding('service, peak up to the 202, MB', afterSubmit, idle, null),
      finding('Postgres at its peak, all processes, MB', postgres.peak, postgres.first, null),
    ];
  } finally {
    await client.end();
    await service.close();
  }
}

/** The floor is what it takes before any work has come. */
const finding = (what: string, bytes: number, idle: number, target: Finding['target']): Finding => ({
  what,
  ours: megabytes(bytes),
  floor: megabytes(idle),
  measured: bytes / 1_048_576,
  target,
});

/** Resident set now (VmRSS) or at its highest (VmHWM), which the kernel keeps: no sampling can miss it. */
async function statusOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  return kilobytes(await readFile(`/proc/${pid}/status`, 'utf8'), field) * 1_024;
}

/** Its processes share their buffers: each counts with its share of them, so that the sum is what they take together. */
class PeakOfPostgres {
  first = 0;
  peak = 0;

  constructor(private readonly postmasterPid: number) {}

  async sample(): Promise<void> {
    const pids = [this.postmasterPid, ...(await childrenOf(this.postmasterPid))];
    const shares = await Promise.all(pids.map(shareOf));
    const sum = shares.reduce((total, share) => total + share, 0);
    this.first ||= sum;
    this.peak = Math.max(this.peak, sum);
  }
}

/** 0 for a process that is gone. */
async function shareOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return rollup === '' ? 0 : kilobytes(rollup, 'Pss') * 1_024;
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? Number.NaN);
}
