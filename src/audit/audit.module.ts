import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { ClusterHistoryReader } from './cluster-history-reader.js';
import { EventReader } from './event-reader.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { SummaryController } from './summary.controller.js';
import { SummaryReader } from './summary-reader.js';

@Module({
  controllers: [AuditController, CallsController, RetryOutcomesController, SummaryController],
  providers: [CallReader, ClusterHistoryReader, EventReader, SummaryReader],
})
export class AuditModule {}
