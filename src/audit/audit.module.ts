import { Module } from '@nestjs/common';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';

@Module({ controllers: [CallsController, RetryOutcomesController], providers: [CallReader] })
export class AuditModule {}
