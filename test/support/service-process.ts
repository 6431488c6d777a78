import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended, spawnTied } from '../../src/quickstart/tied-process.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** From source: a test never runs against a build that somebody forgot to renew, and a fresh clone needs none. */
const FROM_SOURCE = ['--import', join(ROOT, 'test/support/typescript.mjs'), join(ROOT, 'src/main.ts')];
/** Starts in half the time: for a suite that starts it hundreds of times, and has just built it. */
const BUILT = [join(ROOT, 'dist/main.js')];
/** A start takes two seconds; beside another test file on a small machine it may take many more. */
const READY_WITHIN_MS = 25_000;

export type Env = Readonly<Record<string, string>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LogLine {
  readonly level: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** The service as it runs in production: its own process, reached over HTTP alone. It dies with the one who started it. */
export interface ServiceProcess {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  logText(): string;
  /** The lines of JSON among what it wrote. */
  log(): LogLine[];
  /** SIGTERM: it may end what it is at. */
  stop(): Promise<Exit>;
  /** SIGKILL: it may not. */
  kill(): Promise<Exit>;
}

let started = 0;

/** Starts it and waits until it is ready. @param folder for its log */
export async function startServiceProcess(env: Env, folder: string): Promise<ServiceProcess> {
  const service = await spawnService(env, folder);
  const early = service.exited.then(({ code, signal }) => {
    throw new Error(`the service ended with ${String(code ?? signal)} before it was ready:\n${service.logText()}`);
  });
  const ready = eventually(() => isReady(service.url), { limitMs: READY_WITHIN_MS, everyMs: 50 });
  try {
    await Promise.race([ready, early]);
  } catch (error) {
    await service.kill();
    throw error;
  }
  early.catch(() => undefined); // From now on its end is wanted.
  return service;
}

/** Does not wait for anything: for a service that is not going to be ready. */
export async function spawnService(env: Env, folder: string, built = false): Promise<ServiceProcess> {
  const port = env['PORT'] ?? String(await freePort());
  started += 1;
  const logFile = join(folder, `service-${started}.log`);
  const log = openSync(logFile, 'a');
  const child = spawnTied(process.execPath, built ? BUILT : FROM_SOURCE, {
    cwd: ROOT,
    // Nothing of this process's environment but what Node itself needs: a REDIS_URL of the test run is not for the service.
    env: { PATH: process.env['PATH'], ...env, PORT: port },
    stdout: log,
    stderr: log,
    endSignal: 'TERM',
  });
  closeSync(log);
  const exited = ended(child);
  const signal = (name: NodeJS.Signals) => async (): Promise<Exit> => {
    child.kill(name);
    return exited;
  };
  const logText = (): string => readFileSync(logFile, 'utf8');
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    exited,
    logText,
    log: () => parseLines(logText()),
    stop: signal('SIGTERM'),
    kill: signal('SIGKILL'),
  };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health/ready`, { headers: { connection: 'close' } }).catch(() => null);
  return answer?.status === 200;
}

function parseLines(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as LogLine];
      } catch {
        return []; // The last line of a process that was killed.
      }
    });
}
