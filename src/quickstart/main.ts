import { setTimeout as delay } from 'node:timers/promises';
import { quickstart, type QuickstartParts } from './quickstart.js';
import { problemLine } from './startup-problem.js';
import { Startup } from './startup.js';
import { stopSignal } from './stop-signal.js';
import { help, welcome } from './welcome.js';

/** Ten seconds are promised; what does not close by then dies with this process: the servers are tied to it. */
const STOP_LIMIT_MS = 9_500;

async function main(): Promise<number> {
  const [argument] = process.argv.slice(2);
  if (argument === '--help' || argument === '-h') {
    process.stdout.write(help);
    return 0;
  }
  if (argument !== undefined) {
    complain(new Error(`there is no option ${argument}: see npm start -- --help`));
    return 1;
  }
  return start();
}

async function start(): Promise<number> {
  const startup = new Startup();
  const stop = stopSignal();
  const failure = new Promise<never>((_resolve, reject) => {
    void run(startup, reject);
  });
  let exitCode = 0;
  try {
    await Promise.race([stop, failure]);
    report('Stopping');
  } catch (error) {
    complain(error);
    exitCode = 1;
  }
  return Math.max(exitCode, await stopWithin(startup, STOP_LIMIT_MS));
}

async function run(startup: Startup, fail: (problem: unknown) => void): Promise<void> {
  const onLost = (problem: unknown): void => fail(problem);
  try {
    const ready = await quickstart(await loadParts(), { env: process.env, startup, report, onLost });
    process.stdout.write(welcome(ready));
  } catch (error) {
    if (!startup.signal.aborted) fail(error);
  }
}

/** Loaded late: the framework takes a while, and `--help` and the first progress line need none of it. */
async function loadParts(): Promise<QuickstartParts> {
  const [{ startService }, { startSimulator }, { admitKey }] = await Promise.all([
    import('../service.js'),
    import('../simulator/simulator.js'),
    import('./admit-key.js'),
  ]);
  return { startService, startSimulator, admitKey };
}

async function stopWithin(startup: Startup, limitMs: number): Promise<number> {
  const outcome = await Promise.race([
    startup.stop().then(
      () => 'stopped' as const,
      (error: unknown) => ({ error }),
    ),
    delay(limitMs, 'late' as const),
  ]);
  if (outcome === 'stopped') return 0;
  complain(
    outcome === 'late' ? new Error(`not everything stopped within ${limitMs / 1000} s; leaving`) : outcome.error,
  );
  return 1;
}

function report(line: string): void {
  process.stdout.write(`${line} ...\n`);
}

function complain(error: unknown): void {
  process.stderr.write(`${problemLine(error)}\n`);
}

// A terminal that is closed takes the output away, and that must not keep us from stopping.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// Explicit: an aborted start may leave something behind that nobody waits for any more.
process.exit(await main());
