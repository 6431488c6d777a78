import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { ClusterHistoryReader } from './cluster-history-reader.js';
import { EventReader } from './event-reader.js';
import { HeadReader } from './head-reader.js';
import { HeadsController } from './heads.controller.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { SealGauges } from './seal-gauges.js';
import { SummaryController } from './summary.controller.js';
import { SummaryReader } from './summary-reader.js';

@Module({
  controllers: [AuditController, CallsController, HeadsController, RetryOutcomesController, SummaryController],
  providers: [CallReader, ClusterHistoryReader, EventReader, HeadReader, SealGauges, SummaryReader],
})
export class AuditModule {}
