import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { Clock } from './clock.js';
import { HealthController } from './health/health.controller.js';
import { Heartbeats } from './health/heartbeats.js';
import { PrismaService } from './prisma/prisma.service.js';
import { RecordPrisma } from './prisma/record-prisma.js';
import { MetricsController } from './telemetry/metrics.controller.js';
import { Metrics } from './telemetry/metrics.js';

@Global()
@Module({})
export class PlatformModule {
  static with(config: AppConfig): DynamicModule {
    const providers = [
      { provide: APP_CONFIG, useValue: config },
      {
        provide: PrismaService,
        useFactory: () => new PrismaService(config.databaseUrl.reveal(), config.databasePoolSize),
      },
      {
        provide: RecordPrisma,
        useFactory: () => new RecordPrisma(config.databaseUrl.reveal(), config.databasePoolSize),
      },
      Clock,
      Heartbeats,
      Metrics,
    ];
    return {
      module: PlatformModule,
      controllers: [HealthController, MetricsController],
      providers,
      exports: providers.map((provider) => (typeof provider === 'function' ? provider : provider.provide)),
    };
  }
}
