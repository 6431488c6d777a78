import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { DataFolder } from '../../../src/quickstart/data-folder.js';
import { lockFolder, type FolderLock } from '../../../src/quickstart/folder-lock.js';
import { openEmbeddedPostgres, type EmbeddedPostgres } from '../../../src/quickstart/postgres/embedded-postgres.js';
import { resolveDatabase } from '../../../src/quickstart/resolve-database.js';
import { Command } from '../../support/command.js';
import { eventually } from '../../support/eventually.js';

const HOLDER = 'test/integration/quickstart/hold-postgres.ts';
const report: string[] = [];
const opened: EmbeddedPostgres[] = [];
let dataDir: string;

beforeEach(async () => {
  report.length = 0;
  dataDir = await mkdtemp(join(tmpdir(), 'rescan-quickstart-'));
  await chmod(dataDir, 0o711);
});

afterEach(async () => {
  const all = opened.splice(0);
  // All of them first: the same home may have been opened twice, and the second still runs.
  for (const postgres of all) await postgres.close();
  for (const { home } of all) await rm(home, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
});

async function open(path = dataDir, signal = new AbortController().signal): Promise<EmbeddedPostgres> {
  const folder = DataFolder.locate({ DATA_DIR: path });
  const postgres = await openEmbeddedPostgres(folder, { report: (line) => report.push(line), signal, durable: false });
  opened.push(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const postmasterFile = (): string => join(dataDir, 'postgres/data/postmaster.pid');
const postmasterPid = async (): Promise<number> => Number((await readFile(postmasterFile(), 'utf8')).split('\n')[0]);

it('goes on at the second start where the first stopped, under the same address', async () => {
  const first = await open();
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.close();
  const second = await open();
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  expect(second.url).toBe(first.url);
});

it('lets nobody in without the password, which only its owner can read', async () => {
  const { url } = await open();
  const wrong = Object.assign(new URL(url), { password: 'guess' }).href;
  await expect(query(wrong, 'SELECT')).rejects.toMatchObject({ code: '28P01' });
  expect((await stat(join(dataDir, 'postgres.json'))).mode & 0o777).toBe(0o600);
});

it('does not outlive a process that is killed, and starts again on what that left', async () => {
  const holder = new Command(HOLDER, { DATA_DIR: dataDir });
  const [, pid, url = ''] = await holder.printed(/up (\d+) (\S+)/);
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  process.kill(Number(pid), 'SIGKILL');
  await holder.finished();
  const lock = await lockFolder(dataDir);
  expect(lock).toHaveProperty('release');
  const again = await open();
  expect(await query(again.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  await (lock as FolderLock).release();
});

it('is not deceived by a pid file whose number now belongs to another process', async () => {
  const first = await open();
  await first.close();
  const owner = await stat(join(dataDir, 'postgres/data'));
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore', uid: owner.uid, gid: owner.gid });
  const lines = [stranger.pid, join(dataDir, 'postgres/data'), 1, 1, '', '127.0.0.1', '', 'ready'];
  await writeFile(postmasterFile(), `${lines.join('\n')}\n`);
  const second = await open();
  expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(stranger.exitCode).toBeNull();
  stranger.kill();
});

it('brings a server back that was killed', async () => {
  const { url } = await open();
  process.kill(await postmasterPid(), 'SIGKILL');
  await eventually(() => query(url, 'SELECT 1'), { limitMs: 20_000 });
  expect(report).toContain('The embedded Postgres ended by itself; starting it again');
});

it('stops in the middle of making its data folder, and makes it anew the next time', async () => {
  const stop = new AbortController();
  const starting = open(dataDir, stop.signal);
  await eventually(() => stat(join(dataDir, 'postgres/data.new/base')), { everyMs: 5 });
  stop.abort();
  await expect(starting).rejects.toThrow();
  await open();
});

it('takes another port when somebody sits on its own', async () => {
  const first = await open();
  const { port } = new URL(first.url);
  await first.close();
  const squatter = spawn(process.execPath, [
    '-e',
    `net.createServer().listen(${port}, '127.0.0.1', () => console.log('on'))`,
  ]);
  await new Promise((resolve) => squatter.stdout.once('data', resolve));
  const second = await open();
  squatter.kill();
  expect(new URL(second.url).port).not.toBe(port);
  expect(report).toHaveLength(1);
});

it('keeps its data where the user that runs it can go, and says where', async () => {
  const closed = join(dataDir, 'closed');
  await mkdir(closed, { mode: 0o700 });
  const inside = join(closed, 'data');
  await mkdir(inside, { mode: 0o711 });
  const postgres = await open(inside);
  // Only root runs it as somebody else.
  const isElsewhere = process.getuid?.() === 0;
  expect(postgres.home.startsWith(inside)).toBe(!isElsewhere);
  expect(report.some((line) => line.includes(postgres.home))).toBe(isElsewhere);
});

it('is found by a tool beside it, and started for a tool without it', async () => {
  const env = { DATA_DIR: dataDir };
  const alone = await resolveDatabase(env);
  expect(await query(alone.url, `SELECT to_regclass('api_key') IS NOT NULL AS migrated`)).toEqual([{ migrated: true }]);
  await alone.close();
  const holder = new Command(HOLDER, env);
  const [, , url] = await holder.printed(/up (\d+) (\S+)/);
  const beside = await resolveDatabase(env);
  expect(beside.url).toBe(url);
  await beside.close();
  holder.signal('SIGKILL');
  await holder.finished();
});
