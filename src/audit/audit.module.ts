import { Module } from '@nestjs/common';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { SummaryController } from './summary.controller.js';
import { SummaryReader } from './summary-reader.js';

@Module({
  controllers: [CallsController, RetryOutcomesController, SummaryController],
  providers: [CallReader, SummaryReader],
})
export class AuditModule {}
