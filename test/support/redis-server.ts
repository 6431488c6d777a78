import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { openSync, closeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../src/quickstart/free-port.js';
import { StartupProblem } from '../../src/quickstart/startup-problem.js';
import { ended, spawnTied } from '../../src/quickstart/tied-process.js';
import { eventually } from './eventually.js';

const PROGRAMS = ['redis-server', 'valkey-server'];
const INSTALLERS: readonly (readonly [manager: string, commands: readonly string[], asRoot: boolean])[] = [
  ['apt-get', ['apt-get update', 'apt-get install -y --no-install-recommends redis-server'], true],
  ['dnf', ['dnf install -y valkey'], true],
  ['apk', ['apk add redis'], true],
  ['brew', ['brew install redis'], false],
];
const ADVICE = 'install redis-server or valkey-server, or set REDIS_URL to a Redis for the tests';

export interface RedisServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The program on the PATH, installed first where that is allowed. npm has no package that brings one. */
export function findRedis(): string {
  const found = onPath();
  if (found !== undefined) return found;
  install();
  const installed = onPath();
  if (installed !== undefined) return installed;
  throw new StartupProblem(`the tests need a Redis: ${ADVICE}`);
}

/** A Redis of its own on a free port, for tests that stop or empty it. With `appendOnly` it survives `kill -9`. */
export async function startRedis(
  program: string,
  parent: string,
  { port, appendOnly = false }: { port?: number; appendOnly?: boolean } = {},
): Promise<RedisServer> {
  const cwd = await mkdtemp(join(parent, 'redis-'));
  const chosen = port ?? (await freePort());
  const settings = {
    port: String(chosen),
    bind: '127.0.0.1',
    save: '',
    appendonly: appendOnly ? 'yes' : 'no',
    // BullMQ asks for it: a queue that forgets jobs under pressure is none.
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const log = openSync(join(cwd, 'redis.log'), 'a');
  const child = spawnTied(program, args, { cwd, env: process.env, stdout: log, stderr: log, endSignal: 'TERM' });
  closeSync(log);
  const url = `redis://127.0.0.1:${chosen}`;
  const early = ended(child).then(() => {
    throw new StartupProblem(`${program} did not start: see ${join(cwd, 'redis.log')}`);
  });
  await Promise.race([eventually(() => ping(chosen), { limitMs: 10_000 }), early]);
  early.catch(() => undefined); // From now on its end is wanted.
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended(child);
  };
  return { url, pid: child.pid ?? 0, stop };
}

/** A bare socket: a client that connects too early keeps timers that hold up the end of the run. */
function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}

function onPath(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0);
}

function install(): void {
  const installer = INSTALLERS.find(([manager]) => spawnSync(manager, ['--version'], { stdio: 'ignore' }).status === 0);
  if (installer === undefined) return;
  const [, commands, asRoot] = installer;
  const isRoot = process.getuid?.() === 0;
  // sudo must not ask: nobody may be there to answer.
  const prefix =
    asRoot && !isRoot
      ? ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive']
      : ['env', 'DEBIAN_FRONTEND=noninteractive'];
  process.stderr.write(`Installing a Redis for the tests: ${commands.join(' && ')}\n`);
  for (const command of commands) {
    const [program, ...args] = [...prefix, ...command.split(' ')];
    if (program === undefined || spawnSync(program, args, { stdio: 'ignore' }).status !== 0) return;
  }
}
