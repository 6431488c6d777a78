import { parseArgs } from 'node:util';
import { boundsOf } from './busy-hour/bounds.js';
import { busyHour } from './busy-hour/busy-hour.js';
import { HEADER, line, medianOf, toRow, verdicts, type Row } from './busy-hour/report.js';
import { RescanModel } from './busy-hour/rescan-model.js';
import { OTHERS, TAKEN } from './busy-hour/rules.js';
import { PlainBullMqModel } from './peers/plain-bullmq-model.js';

const HELP = `npm run bench:calls -- [--seeds N] [--rules]: a busy hour in virtual time, with the choosing code that the service has.

  --seeds N  so many hours of each kind (1000)
  --rules    other rules of choosing and of lingering beside the one that was taken

60 scan tasks, 40 callers, requests over 40 minutes, such that the fewest calls are 0.6 and 1.5 of the budget; without faults, and with
2 % lost answers, two storms of 429 and one poisoned cluster in 6 of the tasks. Each hour is run by rescan and by plain BullMQ, and
compared with bounds that know all of it beforehand. Printed is the median over the hours, and the worst where it is said.
`;

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, rules: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
});
const seeds = Number(values.seeds ?? 1_000);

if (values.help) process.stdout.write(HELP);
else if (!Number.isSafeInteger(seeds) || seeds < 1) {
  process.stderr.write('--seeds takes a whole number above 0; see --help\n');
  process.exitCode = 1;
} else report();

function report(): void {
  const from = performance.now();
  for (const withFaults of [false, true]) for (const load of [0.6, 1.5]) reportLoad(load, withFaults);
  process.stdout.write(`seeds 1 to ${seeds}, in ${Math.round((performance.now() - from) / 1_000)} s\n`);
}

function reportLoad(load: number, withFaults: boolean): void {
  const rules = values.rules ? [TAKEN, ...OTHERS] : [TAKEN];
  const rows = new Map<string, Row[]>([...rules.map(({ name }) => name), 'plain BullMQ'].map((name) => [name, []]));
  for (let seed = 1; seed <= seeds; seed += 1) {
    const hour = busyHour(seed, load, withFaults);
    const bounds = boundsOf(hour);
    for (const rule of rules) rows.get(rule.name)?.push(toRow(new RescanModel(hour, rule).run(), bounds));
    rows.get('plain BullMQ')?.push(toRow(new PlainBullMqModel(hour).run(), bounds));
  }
  process.stdout.write(`\nload ${load}, ${withFaults ? 'with' : 'without'} faults\n${HEADER}`);
  for (const [name, measured] of rows) process.stdout.write(line(name, measured));
  const [ours, plain] = [rows.get(TAKEN.name) ?? [], rows.get('plain BullMQ') ?? []];
  const times = (of: (row: Row) => number): string => (medianOf(plain, of) / medianOf(ours, of)).toFixed(1);
  process.stdout.write(
    `plain BullMQ takes ${times(({ calls }) => calls)} × the calls, ${times(({ p50 }) => p50)} × the time\n`,
  );
  if (!withFaults) process.stdout.write(verdicts(load, ours));
}
