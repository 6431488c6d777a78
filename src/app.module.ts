import { Module, type DynamicModule } from '@nestjs/common';
import { AuditModule } from './audit/audit.module.js';
import { CallbacksModule } from './callbacks/callbacks.module.js';
import { DeliveryModule } from './callbacks/delivery.module.js';
import { RequestEndsModule } from './callbacks/request-ends.module.js';
import { CallingModule } from './calling/calling.module.js';
import type { AppConfig, Role } from './config/app-config.js';
import { ConsoleModule } from './console/console.module.js';
import { IntakeModule } from './intake/intake.module.js';
import { LedgerModule } from './ledger/ledger.module.js';
import { PlatformModule } from './platform/platform.module.js';
import { QueuesModule } from './platform/queues/queues.module.js';
import { FiringModule } from './schedules/firing.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { SealingModule } from './sealing/sealing.module.js';
import { SecurityModule } from './security/security.module.js';
import { SweepingModule } from './sweeping/sweeping.module.js';
import { WatchingModule } from './watching/watching.module.js';

const forAll = [LedgerModule, QueuesModule, RequestEndsModule, SecurityModule];
const api = [AuditModule, CallbacksModule, ConsoleModule, IntakeModule, SchedulesModule];
const worker = [CallingModule, DeliveryModule, FiringModule, SealingModule, SweepingModule, WatchingModule];

/** An api process runs no processor, a worker serves no requests: health and metrics are all it answers. */
const MODULES_OF = { api, worker, all: [...api, ...worker] } as const satisfies Record<Role, unknown>;

@Module({})
export class AppModule {
  static of(config: AppConfig): DynamicModule {
    return { module: AppModule, imports: [PlatformModule.with(config), ...forAll, ...MODULES_OF[config.role]] };
  }
}
