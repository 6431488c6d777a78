import { ConfigError } from './config/config-error.js';
import { describeEnv } from './config/parse-env.js';
import { startService, type Service } from './service.js';

const USAGE = `Usage: node dist/main.js [--help]

Starts rescan against a Postgres and an upstream that are there already; "npm start" brings what is missing.
It is told everything by the environment:

${describeEnv()}`;

if (process.argv.includes('--help')) console.log(USAGE);
else await run();

async function run(): Promise<void> {
  try {
    const service = await startService(process.env);
    stopOnSignal(service);
  } catch (error) {
    const lines = error instanceof ConfigError ? error.message : `rescan could not start: ${describe(error)}`;
    console.error(lines);
    process.exitCode = 1;
  }
}

function stopOnSignal(service: Service): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      setTimeout(() => {
        console.error('Not everything stopped in time; leaving. Calls that are out are settled already.');
        process.exit(1);
      }, service.stopWithinMs).unref();
      service.close().catch((error: unknown) => {
        console.error(`rescan did not stop cleanly: ${describe(error)}`);
        process.exitCode = 1;
      });
    });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
