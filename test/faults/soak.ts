import { parseArgs } from 'node:util';
import { KILL_POINTS } from './kinds/kill-points.js';
import { NETWORK_FAULTS } from './kinds/network.js';
import { POSTGRES_FAULTS } from './kinds/postgres.js';
import { RACES } from './kinds/races.js';
import { REDIS_FAULTS } from './kinds/redis.js';
import { TIME_FAULTS } from './kinds/time.js';
import { LeakWatch } from './support/leak-watch.js';
import { Random } from '../support/random.js';
import { run, type Fault } from './support/run.js';
import { FaultWorld } from './support/world.js';

const HELP = `npm run soak -- [--minutes N] [--seed S]: faults of every kind at random, until the time is over or Ctrl-C.

  --minutes N  how long new runs are begun (10)
  --seed S     the order and the loads; by default another one each time, printed first

Each run is judged as in npm run test:faults. After the last, what has grown is printed: memory, open files, connections,
keys of the queue. Exit code 1 where a promise was broken or something leaks.
`;
const FAULTS: readonly Fault[] = [
  ...REDIS_FAULTS,
  ...POSTGRES_FAULTS,
  ...NETWORK_FAULTS,
  ...TIME_FAULTS,
  ...RACES,
  // They take minutes: one of them now and then is enough.
  ...KILL_POINTS.filter(({ name }) => /submit|send|settle|callback/.test(name)),
];

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
const minutes = Number(values.minutes ?? 10);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
if (values.help) process.stdout.write(HELP);
else if (!(minutes > 0) || !Number.isSafeInteger(seed)) fail('--minutes takes a number above 0, --seed a whole one');
else await soak();

async function soak(): Promise<void> {
  process.stdout.write(`seed ${seed}, ${minutes} minutes\n`);
  const until = performance.now() + minutes * 60_000;
  const random = new Random(seed);
  const total = { runs: 0, accepted: 0, calls: 0, recovered: 0, broken: 0 };
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  let world = await FaultWorld.open();
  const watch = new LeakWatch();
  while (!stop.signal.aborted && performance.now() < until) {
    total.runs += 1;
    const fault = random.pick(FAULTS);
    const judged = await run(world, { ...fault, seed: random.whole(1, 1_000_000_000) }).catch((error: unknown) => {
      process.stderr.write(`  ${fault.name}: ${String(error)}\n`);
      return null;
    });
    total.broken += !judged || Object.keys(judged.broken).length > 0 ? 1 : 0;
    total.accepted += judged?.figures.accepted ?? 0;
    total.calls += judged?.figures.calls ?? 0;
    total.recovered += judged?.figures.recovered ?? 0;
    if (world.spoilt) {
      await world.close();
      world = await FaultWorld.open();
    } else await watch.look(world);
  }
  await world.close();
  const { lines, leaks } = watch.report();
  process.stdout.write([`seed ${seed}: ${JSON.stringify(total)}`, ...lines, ''].join('\n'));
  if (total.broken > 0 || leaks > 0) process.exitCode = 1;
}

function fail(line: string): void {
  process.stderr.write(`${line}; see --help\n`);
  process.exitCode = 1;
}
