import { errorCode } from '../platform/database/connect.js';
import { applyMigrations, MigrationFailed, migrationsDir } from '../platform/database/migrate.js';
import { auditKeyOf } from './audit-key.js';
import { callbackSecret } from './callback-secret.js';
import { checkEnv } from './check-env.js';
import { DataFolder } from './data-folder.js';
import { developmentKey } from './dev-key.js';
import { portProblem } from './free-port.js';
import { openEmbeddedPostgres } from './postgres/embedded-postgres.js';
import { demoTask, startSimulatedUpstream, writeCredentials, type StartSimulator } from './simulated-upstream.js';
import { StartupProblem } from './startup-problem.js';
import type { Startup } from './startup.js';
import type { Welcome } from './welcome.js';

export interface RunningService {
  readonly url: string;
  close(): Promise<void>;
}

/** Unless the environment says otherwise. A full log would drown the welcome, and ten seconds to stop are shared with Postgres. */
const QUIET_AND_QUICK = { LOG_LEVEL: 'warn', SHUTDOWN_GRACE: '5s' };

/** The parts that the quickstart puts together but does not know. */
export interface QuickstartParts {
  startService(env: NodeJS.ProcessEnv): Promise<RunningService>;
  startSimulator: StartSimulator;
  /** Lets the key in, with every scope and every project; nothing happens when it is in already. */
  admitKey(databaseUrl: string, key: string): Promise<void>;
}

export interface QuickstartOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly startup: Startup;
  readonly report: (line: string) => void;
  /** The database is gone for good. */
  readonly onLost: (problem: unknown) => void;
}

/** Starts what the environment does not bring, then the service. */
export async function quickstart(parts: QuickstartParts, options: QuickstartOptions): Promise<Welcome> {
  const { env, startup, report } = options;
  checkEnv(env);
  const folder = DataFolder.locate(env);
  await startup.add(
    () => folder.lock(),
    (lock) => lock.release(),
  );
  await requireFreePort(env);
  const databaseUrl = env['DATABASE_URL'] || (await embeddedDatabase(folder, options));
  report('Applying the migrations');
  const { applied } = await startup.unlessStopped(migrate(databaseUrl));
  if (applied.length > 0) report(`Applied ${applied.join(', ')}`);
  const credentialsFile = env['CREDENTIALS_FILE'] || (await simulatedUpstream(folder, parts, options));
  const key = await developmentKey(folder, env);
  await startup.unlessStopped(parts.admitKey(databaseUrl, key));
  const brought = {
    DATABASE_URL: databaseUrl,
    CREDENTIALS_FILE: credentialsFile,
    ...(await auditKeyOf(folder, env)),
    ...(await callbackSecret(folder, env)),
  };
  report('Starting the service');
  const service = await startup.add(
    () => parts.startService({ ...QUIET_AND_QUICK, ...env, ...brought }),
    (running) => running.close(),
  );
  return { url: service.url, key, task: env['CREDENTIALS_FILE'] ? null : demoTask() };
}

async function embeddedDatabase(folder: DataFolder, options: QuickstartOptions): Promise<string> {
  const { startup, report, onLost } = options;
  report(`Starting Postgres, with its data under ${folder.path}`);
  const postgres = await startup.add(
    () => openEmbeddedPostgres(folder, { report, onLost, signal: startup.signal }),
    (server) => server.close(),
  );
  return postgres.url;
}

async function simulatedUpstream(
  folder: DataFolder,
  parts: QuickstartParts,
  { startup, report }: QuickstartOptions,
): Promise<string> {
  const simulator = await startup.add(
    () => startSimulatedUpstream(folder, parts.startSimulator),
    (running) => running.close(),
  );
  report(`Started the simulator as upstream: ${simulator.hssUrl}`);
  return writeCredentials(folder, simulator);
}

async function migrate(databaseUrl: string): Promise<{ applied: string[] }> {
  try {
    return await applyMigrations(databaseUrl, migrationsDir, { waitMs: 10_000 });
  } catch (error) {
    const code = errorCode(error);
    if (error instanceof MigrationFailed || code === '') throw error;
    throw new StartupProblem(`the database cannot be used (${code}): check DATABASE_URL and that Postgres is up`, {
      cause: error,
    });
  }
}

/** Said before anything is started; the service itself would find out last. */
async function requireFreePort(env: NodeJS.ProcessEnv): Promise<void> {
  const port = Number(env['PORT'] || 3000);
  const problem = await portProblem(port, env['HOST'] || undefined);
  if (problem === null) return;
  const reason = problem.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${problem.code})`;
  throw new StartupProblem(`port ${port} ${reason}: free it, or set PORT to another one`);
}
