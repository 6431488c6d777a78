import { Module } from '@nestjs/common';
import { CallExport } from './call-export.js';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { EventExport } from './event-export.js';
import { ExportController } from './export.controller.js';
import { ExportSlots } from './export-slots.js';
import { Exporter } from './exporter.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { TargetExport } from './target-export.js';

@Module({
  controllers: [CallsController, ExportController, RetryOutcomesController],
  providers: [CallExport, CallReader, EventExport, Exporter, ExportSlots, TargetExport],
})
export class AuditModule {}
