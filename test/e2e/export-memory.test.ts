import { readFile } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectWithin } from '../../src/platform/database/connect.js';
import type { ApiClient } from '../support/api-client.js';
import { openExport } from '../support/exports.js';
import { writeHistory } from '../support/history.js';
import { ServiceRig } from '../support/service-rig.js';
import type { ServiceProcess } from '../support/service-process.js';

const ROWS = 200_000;
const EXTRA_MB = 100;
/** As `npm start` and the image have it. Without a bound V8 lets garbage grow with the memory of the machine. */
const HEAP = '--max-old-space-size=768';

let rig: ServiceRig;
let service: ServiceProcess;
let auditor: ApiClient;

beforeAll(async () => {
  rig = await ServiceRig.open();
  service = await rig.start({ ROLE: 'api', NODE_OPTIONS: HEAP });
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
async function read(headers: Record<string, string>): Promise<{ lines: number; peakMb: number }> {
  const answer = await openExport(auditor, 'kind=targets&format=ndjson', headers);
  const text = answer.headers['content-encoding'] === 'gzip' ? answer.pipe(createGunzip()) : answer;
  let [lines, bytes, sampledAt, peakMb] = [0, 0, 0, await residentMb()];
  for await (const chunk of text as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    for (const byte of chunk) if (byte === 10) lines += 1;
    if (bytes - sampledAt < 1_000_000) continue;
    sampledAt = bytes;
    peakMb = Math.max(peakMb, await residentMb());
  }
  expect(answer.complete).toBe(true);
  return { lines, peakMb };
}

it.each<[string, Record<string, string>]>([
  ['plain', {}],
  ['compressed', { 'accept-encoding': 'gzip' }],
])(
  'takes no memory for what it has sent: %s',
  async (_how, headers) => {
    const idleMb = await residentMb();
    const { lines, peakMb } = await read(headers);
    expect(lines).toBe(ROWS);
    expect(peakMb - idleMb).toBeLessThan(EXTRA_MB);
  },
  300_000,
);
