import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { ClusterHistoryReader } from './cluster-history-reader.js';
import { EventReader } from './event-reader.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';

@Module({
  controllers: [AuditController, CallsController, RetryOutcomesController],
  providers: [CallReader, ClusterHistoryReader, EventReader],
})
export class AuditModule {}
