import { Pool } from 'undici';
import { freePort } from '../../src/quickstart/free-port.js';
import { admitKey } from '../../src/quickstart/admit-key.js';
import { runProgram } from './program.js';
import type { Stage } from './stage.js';
import type { Upstream } from './upstream.js';

/** The service in its own process, as a caller sees it. */
export interface ServiceUnderTest {
  readonly pid: number;
  /** @throws Error for any other status than the one expected */
  post(path: string, body: string | null, expected: number, key?: string): Promise<void>;
  /** @returns the body. @throws Error for any other status than 200 */
  get(path: string): Promise<unknown>;
  /** Its process as well. */
  close(): Promise<void>;
}

const KEY = 'rescan_benchmark-key-that-opens-nothing-else';
let keysUsed = 0;

/** On the queue's Postgres backend, with all defaults but the upstream. */
export async function startServiceProcess(
  stage: Stage,
  upstream: Upstream,
  databaseUrl: string,
  env: NodeJS.ProcessEnv = {},
): Promise<ServiceUnderTest> {
  await admitKey(databaseUrl, KEY);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { pid, stop } = await runProgram(stage, 'main.js', [], {
    env: {
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      CREDENTIALS_FILE: upstream.credentialsFile,
      MAX_OPEN_TARGETS: '100000000',
      ...upstream.env,
      ...env,
    },
    ready: async () => (await fetch(`${url}/health/ready`)).ok,
  });
  const pool = new Pool(url, { connections: 10 });
  return {
    pid,
    close: async () => {
      await pool.destroy();
      await stop();
    },
    get: async (path) => {
      const answer = await pool.request({ method: 'GET', path, headers: { authorization: `Bearer ${KEY}` } });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`GET ${path} answered ${answer.statusCode}: ${text}`);
      return JSON.parse(text) as unknown;
    },
    post: async (path, body, expected, key = KEY) => {
      const headers = {
        authorization: `Bearer ${key}`,
        ...(body === null ? {} : { 'content-type': 'application/json', 'idempotency-key': `bench-${(keysUsed += 1)}` }),
      };
      const answer = await pool.request({ method: 'POST', path, headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== expected) throw new Error(`POST ${path} answered ${answer.statusCode}: ${text}`);
    },
  };
}
