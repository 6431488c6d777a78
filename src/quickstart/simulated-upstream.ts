import { stringify } from 'yaml';
import { defaultScenario, demoProject } from '../simulator/default-scenario.js';
import type { Scenario } from '../simulator/scenario.js';
import type { DataFolder } from './data-folder.js';
import { freePort, portProblem } from './free-port.js';

const PORT_FILE = 'simulator-port';

export interface RunningSimulator {
  readonly hssUrl: string;
  readonly iamUrl: string;
  close(): Promise<void>;
}

export type StartSimulator = (options: { port: number; host: string; scenario: Scenario }) => Promise<RunningSimulator>;

/** A scan task with failed clusters that somebody can try the service with. */
export interface DemoTask {
  readonly projectId: string;
  readonly taskId: string;
}

/** The simulator on the port of the last start, since calls in the database may still have to be looked up there. */
export async function startSimulatedUpstream(folder: DataFolder, start: StartSimulator): Promise<RunningSimulator> {
  const remembered = Number(await folder.read(PORT_FILE));
  const isUsable = remembered > 0 && (await portProblem(remembered)) === null;
  const port = isUsable ? remembered : await freePort();
  if (port !== remembered) await folder.write(PORT_FILE, String(port));
  return start({ port, host: '127.0.0.1', scenario: defaultScenario });
}

/** The path of a credentials file for it; as anywhere, the secrets are in files of their own. */
export async function writeCredentials(folder: DataFolder, simulator: RunningSimulator): Promise<string> {
  const key = defaultScenario.credentials.find((credential) => credential.accessKey)?.accessKey;
  if (key === undefined) throw new Error('The default scenario has no access key');
  await folder.write('simulator-access-key', key.ak);
  await folder.write('simulator-secret-key', key.sk);
  const credential = {
    name: 'simulator',
    hssUrl: simulator.hssUrl,
    iamUrl: simulator.iamUrl,
    auth: {
      kind: 'aksk',
      accessKeyFile: folder.file('simulator-access-key'),
      secretKeyFile: folder.file('simulator-secret-key'),
    },
    projects: '*',
  };
  await folder.write('credentials.yaml', stringify({ credentials: [credential] }));
  return folder.file('credentials.yaml');
}

export function demoTask(): DemoTask | null {
  const task = defaultScenario.tasks.find((candidate) => candidate.taskId && candidate.failedClusters);
  return task?.taskId === undefined ? null : { projectId: task.projectId ?? demoProject, taskId: task.taskId };
}
