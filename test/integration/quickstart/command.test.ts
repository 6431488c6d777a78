import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { lockFolder, type FolderLock } from '../../../src/quickstart/folder-lock.js';
import { Command } from '../../support/command.js';
import { freePort } from '../../support/free-port.js';
import { eventually } from '../../support/eventually.js';

const MAIN = 'src/quickstart/main.ts';

/** Whole services are started here, some of them twice, and other tests run beside. */
jest.setTimeout(120_000);

let dataDir: string;
let port: string;
const running: Command[] = [];

async function prepare(): Promise<void> {
  dataDir = await mkdtemp(join(tmpdir(), 'rescan-quickstart-'));
  port = String(await freePort());
}

/** A crash in a test must not leave anything behind for the next. */
async function tidyUp(): Promise<void> {
  for (const command of running.splice(0)) {
    command.signal('SIGKILL');
    await command.finished();
  }
  const elsewhere = /"elsewhere":"([^"]+)"/.exec(
    await readFile(join(dataDir, 'postgres.json'), 'utf8').catch(() => ''),
  );
  if (elsewhere?.[1]) await rm(elsewhere[1], { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}

function start(env: Record<string, string> = {}, args: string[] = []): Command {
  return new Command(MAIN, { DATA_DIR: dataDir, PORT: port, ...env }, args);
}

function started(): Command {
  const command = start();
  running.push(command);
  return command;
}

async function interrupted(command: Command): Promise<number> {
  const from = performance.now();
  command.signal('SIGINT');
  const { code, stderr } = await command.finished();
  running.splice(running.indexOf(command), 1);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return performance.now() - from;
}

describe('what is wrong', () => {
  beforeEach(prepare);
  afterEach(tidyUp);

  async function complaint(env: Record<string, string>, args: string[] = []): Promise<string> {
    const { code, stderr } = await start(env, args).finished();
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    return stderr;
  }

  it('is said for a busy port', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const busy = String((other.address() as AddressInfo).port);
    expect(await complaint({ PORT: busy })).toContain(`port ${busy} is taken by another program: free it, or set PORT`);
    other.close();
  });

  it('is said for a folder that cannot be written', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    expect(await complaint({ DATA_DIR: join(file, 'data') })).toContain(`${file}/data cannot be used (ENOTDIR)`);
  });

  it('is said for broken variables, all at once', async () => {
    expect(await complaint({ PORT: 'abc', SWEEP_INTERVAL: 'soon' })).toMatch(
      /PORT: must be .*; SWEEP_INTERVAL: must be /,
    );
  });

  it('is said for a database that does not answer, without its password', async () => {
    const line = await complaint({ DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/rescan' });
    expect(line).toContain('ECONNREFUSED');
    expect(line).not.toContain('secret');
  });

  it('is said for an unknown option', async () => {
    expect(await complaint({}, ['--wrong'])).toContain('--help');
  });

  it('is said when another one runs on the same folder', async () => {
    const lock = (await lockFolder(dataDir)) as FolderLock;
    expect(await complaint({})).toContain(`another rescan is running on ${dataDir} (process ${process.pid})`);
    await lock.release();
  });
});

it('explains itself', async () => {
  const { code, stdout } = await new Command(MAIN, {}, ['--help']).finished();
  expect(code).toBe(0);
  expect(stdout).toContain('DATA_DIR');
});

describe('Ctrl-C', () => {
  beforeEach(prepare);
  afterEach(tidyUp);

  it.each([
    ['before Postgres is up', /Starting Postgres/],
    ['in the migrations', /Applying the migrations/],
    ['while the service starts', /Starting the service/],
  ])('stops all of it %s, and the next start finds its way', async (_title, line) => {
    const command = started();
    await command.printed(line);
    expect(await interrupted(command)).toBeLessThan(10_000);
    await expect(stat(join(dataDir, 'lock'))).rejects.toMatchObject({ code: 'ENOENT' });
    const next = started();
    await next.printed(/rescan is ready/);
    expect(await interrupted(next)).toBeLessThan(10_000);
  });
});

describe('a started rescan', () => {
  let url: string;
  let key: string;

  beforeAll(prepare);
  afterAll(tidyUp);

  const get = async (path: string): Promise<{ items: { id: string; counts: Record<string, number> }[] }> => {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
    return (await answer.json()) as { items: { id: string; counts: Record<string, number> }[] };
  };

  async function ready(): Promise<Command> {
    const command = started();
    url = (await command.printed(/rescan is ready: (http:\S+)/))[1] ?? '';
    key = (await command.printed(/API key for development: (\S+)/))[1] ?? '';
    return command;
  }

  it('retries failed clusters with the line that it prints, and still knows of them after a restart', async () => {
    const first = await ready();
    const body = (await first.printed(/-d '(\{.*\})'/))[1] ?? '';
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'try' };
    const answer = await fetch(`${url}/v1/requests`, { method: 'POST', headers, body });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as { id: string };
    // It has a secret to sign callbacks with.
    const told = JSON.stringify({ ...JSON.parse(body), callbackUrl: 'https://caller.example/' });
    expect((await fetch(`${url}/v1/requests?dryRun=true`, { method: 'POST', headers, body: told })).status).toBe(200);
    await eventually(async () => (await get('/v1/requests')).items[0]?.counts['accepted'] === 3);
    await interrupted(first);

    const firstKey = key;
    const second = await ready();
    expect(key).toBe(firstKey);
    expect((await get('/v1/requests')).items.map((request) => request.id)).toEqual([id]);
    await interrupted(second);
  });

  it('keeps secrets to its owner', async () => {
    for (const name of ['dev-key', 'callback-secret', 'postgres.json', 'simulator-secret-key', 'credentials.yaml']) {
      expect([name, (await stat(join(dataDir, name))).mode & 0o777]).toEqual([name, 0o600]);
    }
  });
});
