import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectWithin } from '../../src/platform/database/connect.js';
import type { ApiClient } from '../support/api-client.js';
import { openExport } from '../support/exports.js';
import { writeHistory } from '../support/history.js';
import { ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';

const ROWS = 200_000;
const EXTRA_MB = 100;

let rig: ServiceRig;
let service: ServiceProcess;
let auditor: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open();
  service = await rig.start({ ROLE: 'api' });
  auditor = await rig.client({ scopes: ['audit:read'] });
  const client = await connectWithin(rig.database.url, 5_000);
  await writeHistory(client, { first: 0, tasks: 100, clustersPerTask: ROWS / 100, projects: 4 });
  await client.end();
}, 300_000);
afterAll(() => rig.close());

async function residentMb(): Promise<number> {
  const status = await readFile(`/proc/${service.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

/** @returns lines read, and the most memory that the service had meanwhile */
async function read(query: string, headers: Record<string, string> = {}): Promise<{ lines: number; peakMb: number }> {
  const answer = await openExport(auditor, `kind=targets&format=ndjson${query}`, headers);
  let [lines, bytes, sampledAt, peakMb] = [0, 0, 0, await residentMb()];
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    for (const byte of chunk) if (byte === 10) lines += 1;
    if (bytes - sampledAt < 1_000_000) continue;
    sampledAt = bytes;
    peakMb = Math.max(peakMb, await residentMb());
  }
  expect(answer.complete).toBe(true);
  return { lines, peakMb };
}

it('takes no more memory for all rows than for some', async () => {
  const idleMb = await residentMb();
  const some = await read(`&limit=${ROWS / 10}`);
  const all = await read('');
  console.log(JSON.stringify({ idleMb, some, all }));
  expect([some.lines, all.lines]).toEqual([ROWS / 10, ROWS]);
  expect(all.peakMb - idleMb).toBeLessThan(EXTRA_MB);
}, 300_000);
