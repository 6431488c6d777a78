import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/**
 * Below those that systems give to outgoing connections (from 32,768 on): of these, one is taken by the next connection as soon as
 * whoever listens on it is away for a moment.
 */
const [LOWEST, HIGHEST] = [20_000, 32_000];
const TRIES = 50;

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const candidate = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if ((await portProblem(candidate)) === null) return candidate;
  }
  const port = await tryListening(0, LOOPBACK);
  if (typeof port === 'number') return port;
  throw port;
}

/** Why this port cannot be listened on; null when it can. */
export async function portProblem(port: number, host = LOOPBACK): Promise<NodeJS.ErrnoException | null> {
  const outcome = await tryListening(port, host);
  return typeof outcome === 'number' ? null : outcome;
}

function tryListening(port: number, host: string): Promise<number | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => {
      const address = server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(taken));
    });
  });
}
