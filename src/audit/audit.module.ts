import { Module } from '@nestjs/common';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { HeadReader } from './head-reader.js';
import { HeadsController } from './heads.controller.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { SealGauges } from './seal-gauges.js';

@Module({
  controllers: [CallsController, HeadsController, RetryOutcomesController],
  providers: [CallReader, HeadReader, SealGauges],
})
export class AuditModule {}
