import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { freePort } from '../../src/quickstart/free-port.js';
import type { ScenarioInput } from '../../src/simulator/simulator.js';
import { limitsOff } from '../../src/simulator/simulator.js';
import { runProgram } from './program.js';
import type { Stage } from './stage.js';

/** A simulator in its own process, and lanes to it; for each operation both have the limit given, or none. */
export interface Upstream {
  readonly credentialsFile: string;
  readonly env: NodeJS.ProcessEnv;
}

const LIMITED = ['RetryTask', 'ListTasks', 'ListTaskResources'] as const;

/** Lane `n` serves project `n` alone. */
export const projectOf = (lane: number): string => `project-${lane}`;

/**
 * It accepts whatever is sent: scan tasks that it does not know cost it least, and what it does costs ours and the floor
 * alike; some benchmarks need it to know what they ask for. Signatures are checked as ever.
 */
export async function startUpstream(
  stage: Stage,
  lanes: number,
  limit: { calls: number; windowMs: number } | null = null,
  known: Pick<ScenarioInput, 'tasks' | 'scans'> = {},
): Promise<Upstream> {
  const { folder } = stage;
  const numbers = Array.from({ length: lanes }, (_one, index) => index);
  const scenario: ScenarioInput = {
    credentials: numbers.map((lane) => ({ name: `lane-${lane}`, projects: '*', accessKey: keyOf(lane) })),
    limits: limit
      ? { ...limitsOff, operations: Object.fromEntries(LIMITED.map((of) => [of, { user: limit }])) }
      : limitsOff,
    behaviour: { unknownTask: 'accept' },
    ledger: { maxEntries: 10, keepBodies: false },
    tasks: [],
    ...known,
  };
  await writeFile(folder.file('scenario.yaml'), stringify(scenario));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await runProgram(stage, 'simulator/main.js', ['--port', String(port), '--scenario', folder.file('scenario.yaml')], {
    ready: async () => (await fetch(`${url}/__admin/ledger`)).status < 500,
  });
  const each = limit ?? 'unlimited';
  const limits = { retryTask: each, listTasks: each, listTaskResources: each };
  const credentials = numbers.map((lane) => ({
    name: `lane-${lane}`,
    hssUrl: url,
    iamUrl: url,
    auth: { kind: 'aksk', accessKeyEnv: 'BENCH_AK_' + lane, secretKeyEnv: 'BENCH_SK_' + lane },
    projects: [projectOf(lane)],
    limits,
  }));
  const credentialsFile = folder.file('credentials.yaml');
  await writeFile(credentialsFile, stringify({ credentials }));
  const secrets = numbers.flatMap((lane) => [
    ['BENCH_AK_' + lane, keyOf(lane).ak],
    ['BENCH_SK_' + lane, keyOf(lane).sk],
  ]);
  return { credentialsFile, env: Object.fromEntries(secrets) as NodeJS.ProcessEnv };
}

const keyOf = (lane: number) => ({ ak: `BENCHACCESSKEY${lane}`, sk: `bench-secret-key-${lane}` });
