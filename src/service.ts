import { lanesOf } from './config/lanes.js';
import { parseEnv } from './config/parse-env.js';
import type { Environment } from './config/secret-source.js';
import { VERSION } from './config/version.js';
import { AppModule } from './app.module.js';
import { LaneLedger, type LaneSpec } from './ledger/lanes.js';
import { OverdueLedger } from './ledger/overdue.js';
import { connectWithin } from './platform/database/connect.js';
import { requireServiceRole } from './platform/database/service-role.js';
import { createHttpApp } from './platform/http/create-app.js';
import { serveOpenApi } from './platform/http/openapi.js';
import { PinoLogger } from './platform/logging/pino-logger.js';
import { missingMigrations } from './platform/prisma/missing-migrations.js';
import { PrismaService } from './platform/prisma/prisma.service.js';
import { RefusedAccess } from './security/refused-access.js';
import { checkEviction } from './platform/queues/redis-policy.js';
import type { AppConfig } from './config/app-config.js';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

export interface Service {
  readonly url: string;
  /** The application, for tests that look inside. */
  readonly app: NestFastifyApplication;
  /** A stop that takes longer is stuck: on a server that is away, for one. */
  readonly stopWithinMs: number;
  close(): Promise<void>;
}

/** @throws ConfigError with all that is wrong with the environment; whatever the database or the port have against it */
export async function startService(env: Environment): Promise<Service> {
  const config = parseEnv(env);
  const log = new PinoLogger(config.logLevel);
  await waitForServers(config, log);
  const app: NestFastifyApplication = await createHttpApp(AppModule.of(config), {
    log,
    nestLogger: log,
    drainMs: config.shutdownGraceMs,
    onProblem: (error, request) => app.get(RefusedAccess).note(error, request),
  });
  try {
    await requireMigrations(app.get(PrismaService));
    // A service that stood still for months has no place for this month's calls yet; the default partitions take what must be.
    await app
      .get(OverdueLedger)
      .ensurePartitions()
      .catch((error: unknown) =>
        log.warn(`partitions could not be made, the hourly upkeep tries it again: ${String(error)}`),
      );
    // Before any worker looks at a lane.
    await app.get(LaneLedger).sync(laneSpecs(config));
    if (config.role !== 'worker') serveOpenApi(app, VERSION);
    await app.listen(config.http.port, config.http.host);
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    url: (await app.getUrl()).replace('[::1]', 'localhost'),
    app,
    stopWithinMs: config.shutdownGraceMs + 2_000,
    close: () => app.close(),
  };
}

/** Postgres may come up later than we do; Redis may stay away. */
async function waitForServers(config: AppConfig, log: PinoLogger): Promise<void> {
  const database = await connectWithin(config.databaseUrl.reveal(), config.startTimeoutMs);
  await requireServiceRole(database).finally(() => database.end());
  if (config.redisUrl === null) return;
  const warning = await checkEviction(config.redisUrl.reveal(), config.redisEviction);
  if (warning !== null) log.warn(warning);
}

async function requireMigrations(prisma: PrismaService): Promise<void> {
  const missing = await missingMigrations(prisma);
  if (missing.length === 0) return;
  throw new Error(`the database lacks the migrations ${missing.join(', ')}: run "node dist/migrate.main.js" first`);
}

function laneSpecs(config: AppConfig): LaneSpec[] {
  return lanesOf(config).map(({ id, operation, credential, limit }) => ({
    id,
    operation,
    credential: credential.name,
    endpoint: credential.hssUrl,
    egress: credential.egress,
    calls: limit.calls,
    windowMs: limit.windowMs,
  }));
}
