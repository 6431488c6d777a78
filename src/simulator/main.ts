import { parseArgs } from 'node:util';
import { InvalidInput } from './reading.js';
import { loadScenario } from './scenario-file.js';
import { startSimulator, type SimulatorOptions } from './simulator.js';

const HELP = `A stand-in for Huawei Cloud HSS and IAM.

  node dist/simulator/main.js [options]

  --port N         port to listen on (8085; 0: any free one)
  --host H         address to listen on (127.0.0.1). Whoever reaches it can use /__admin/
  --scenario FILE  YAML or JSON; what it leaves out comes from the default scenario
  --seed N         the same seed and the same calls give the same run (1)
  --help           this text`;

function readOptions(args: readonly string[]): SimulatorOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8085' },
      host: { type: 'string', default: '127.0.0.1' },
      scenario: { type: 'string' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    port: wholeNumber('--port', values.port, 65_535),
    host: values.host,
    seed: wholeNumber('--seed', values.seed, Number.MAX_SAFE_INTEGER),
    scenario: values.scenario === undefined ? {} : loadScenario(values.scenario),
  };
}

function wholeNumber(name: string, value: string, max: number): number {
  if (!/^\d+$/.test(value) || Number(value) > max)
    throw new InvalidInput(`${name} must be a whole number up to ${max}`);
  return Number(value);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(HELP);
    return;
  }
  const simulator = await startSimulator(options);
  console.log(`HSS simulator is ready: ${simulator.url}`);
  const stop = (): void => void simulator.close();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(code === 'EADDRINUSE' ? 'The port is in use: choose another one with --port' : `simulator: ${message}`);
  process.exitCode = 1;
});
