import { afterEach } from '@jest/globals';
import { HssClient } from '../../../src/upstream/hss-client.js';
import { aCredential } from './builders.js';
import { rawServer, type Answerer, type RawServer, type RawServerOptions } from './raw-server.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export function afterwards(...cleanup: (() => Promise<void>)[]): void {
  cleanups.push(...cleanup);
}

/** Until the end of the test, as all that this file makes. */
export async function aServer(answer: Answerer, options: RawServerOptions = {}): Promise<RawServer> {
  const server = await rawServer(answer, options);
  afterwards(server.close);
  return server;
}

export function aClient(port: number, { timeoutMs = 10_000, tls = false, ca = '' } = {}): HssClient {
  const hssUrl = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const client = new HssClient([aCredential({ hssUrl, timeoutMs })], new Map(), ca === '' ? {} : { ca });
  afterwards(() => client.close(0));
  return client;
}

interface Closed<T> {
  readonly client: HssClient;
  readonly closed: Promise<void>;
  readonly ended: Promise<T>;
}

/** A call that has arrived and is not answered, of a client that is closed meanwhile, without grace. */
export async function closedInTheMiddle<T>(start: (client: HssClient) => Promise<T>): Promise<Closed<T>> {
  const silent = await aServer(() => undefined);
  const client = aClient(silent.port);
  const ended = start(client);
  while (silent.requests.length === 0) await new Promise(setImmediate);
  return { client, closed: client.close(0), ended };
}
