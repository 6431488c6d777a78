import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { freePort } from '../../src/quickstart/free-port.js';
import type { ScenarioInput } from '../../src/simulator/simulator.js';
import { limitsOff } from '../../src/simulator/simulator.js';
import { runProgram } from './program.js';
import type { Stage } from './stage.js';

/** Simulators, each in its own process, and lanes to them. */
export interface Upstream {
  readonly credentialsFile: string;
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

export interface UpstreamOptions {
  /** Of each credential for each operation, at the upstream and in its lanes; none by default. */
  readonly limit?: { readonly calls: number; readonly windowMs: number };
  /** The lanes are spread over so many of them. */
  readonly endpoints?: number;
  /** What it knows: by default no scan task at all. */
  readonly known?: Pick<ScenarioInput, 'tasks' | 'scans'>;
}

const LIMITED = ['RetryTask', 'ListTasks', 'ListTaskResources'] as const;

/** Lane `n` serves project `n` alone. */
export const projectOf = (lane: number): string => `project-${lane}`;

/**
 * It accepts whatever is sent: scan tasks that it does not know cost it least, and what it does costs ours and the floor
 * alike; some benchmarks need it to know what they ask for. Signatures are checked as ever.
 */
export async function startUpstream(stage: Stage, lanes: number, options: UpstreamOptions = {}): Promise<Upstream> {
  const { limit, endpoints = 1, known = {} } = options;
  const numbers = Array.from({ length: lanes }, (_one, index) => index);
  const user = limit ?? null;
  const scenario: ScenarioInput = {
    credentials: numbers.map((lane) => ({ name: `lane-${lane}`, projects: '*', accessKey: keyOf(lane) })),
    limits: { ...limitsOff, operations: Object.fromEntries(LIMITED.map((operation) => [operation, { user }])) },
    behaviour: { unknownTask: 'accept' },
    ledger: { maxEntries: 10, keepBodies: false },
    tasks: [],
    ...known,
  };
  const simulators: Endpoint[] = [];
  for (let n = 0; n < endpoints; n += 1) simulators.push(await startEndpoint(stage, n, scenario));
  const urlOf = (lane: number): string => simulators[lane % endpoints]?.url ?? '';
  const each = limit ?? 'unlimited';
  const credentials = numbers.map((lane) => ({
    name: `lane-${lane}`,
    hssUrl: urlOf(lane),
    iamUrl: urlOf(lane),
    auth: { kind: 'aksk', accessKeyEnv: `BENCH_AK_${lane}`, secretKeyEnv: `BENCH_SK_${lane}` },
    projects: [projectOf(lane)],
    egress: `egress-${lane}`,
    limits: { retryTask: each, listTasks: each, listTaskResources: each },
  }));
  const credentialsFile = stage.folder.file('credentials.yaml');
  await writeFile(credentialsFile, stringify({ credentials }, { aliasDuplicateObjects: false }));
  const secrets = numbers.flatMap((lane) => [
    [`BENCH_AK_${lane}`, keyOf(lane).ak],
    [`BENCH_SK_${lane}`, keyOf(lane).sk],
  ]);
  return {
    credentialsFile,
    env: Object.fromEntries(secrets) as NodeJS.ProcessEnv,
    close: async () => void (await Promise.all(simulators.map((simulator) => simulator.stop()))),
  };
}

interface Endpoint {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

async function startEndpoint(stage: Stage, n: number, scenario: ScenarioInput): Promise<Endpoint> {
  const file = stage.folder.file(`scenario-${n}.yaml`);
  await writeFile(file, stringify(scenario));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { stop } = await runProgram(stage, 'simulator/main.js', ['--port', String(port), '--scenario', file], {
    ready: async () => (await fetch(`${url}/__admin/ledger`)).status < 500,
  });
  return { url, stop };
}

const keyOf = (lane: number) => ({ ak: `BENCHACCESSKEY${lane}`, sk: `bench-secret-key-${lane}` });
