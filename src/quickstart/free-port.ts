import { createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
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
