import { Startup } from '../src/quickstart/startup.js';
import { removeLeftovers } from '../test/support/throwaway-postgres.js';
import { audit } from './audit.js';
import { drain } from './drain.js';
import { hour } from './hour.js';
import { memory } from './memory.js';
import { start } from './start.js';
import { scale } from './scale.js';
import { submit } from './submit.js';
import { verdicts } from './verdicts.js';
import type { Benchmark } from './support/benchmark.js';
import { table, type Finding } from './support/report.js';
import { openStage } from './support/stage.js';

const BENCHMARKS = [submit, drain, start, memory, verdicts, hour, scale, audit];
/** Without a name, those that take minutes. */
const USUAL = [submit, drain, start, memory];

const USAGE = `Usage: npm run bench [-- NAME ...]     ${USUAL.map(({ name }) => name).join(', ')}, or those named:

${BENCHMARKS.map(({ name, about }) => `  ${name.padEnd(8)} ${about}`).join('\n')}

Each runs on an embedded Postgres of its own, durable, and prints ratios against a floor measured in turns in the same run.
PASS and MISS are the report: the exit code is 0 unless something failed to run. BENCH_CPU_PROF=<folder> keeps CPU profiles.`;

const names = process.argv.slice(2);
const unknown = names.filter((name) => name !== '--help' && !BENCHMARKS.some((one) => one.name === name));
if (names.includes('--help')) console.log(USAGE);
else if (unknown.length > 0) fail(`there is no benchmark "${unknown.join('", "')}": see npm run bench -- --help`);
else await runAll(names.length === 0 ? USUAL : BENCHMARKS.filter(({ name }) => names.includes(name)));

async function runAll(benchmarks: readonly Benchmark[]): Promise<void> {
  await removeLeftovers();
  const findings: Finding[] = [];
  for (const benchmark of benchmarks) {
    process.stderr.write(`${benchmark.name}: ${benchmark.about}\n`);
    try {
      findings.push(...(await run(benchmark)));
    } catch (error) {
      fail(`${benchmark.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  console.log(table(findings));
}

async function run(benchmark: Benchmark): Promise<readonly Finding[]> {
  const startup = new Startup();
  const stop = (): void => void startup.stop();
  process.once('SIGINT', stop);
  try {
    return await benchmark.run(await openStage(startup, (line) => process.stderr.write(`  ${line}\n`)));
  } finally {
    process.off('SIGINT', stop);
    await startup.stop();
  }
}

function fail(line: string): void {
  console.error(line);
  process.exitCode = 1;
}
