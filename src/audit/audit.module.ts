import { Module } from '@nestjs/common';
import { AuditController } from './audit.controller.js';
import { CallExport } from './call-export.js';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';
import { ClusterHistoryReader } from './cluster-history-reader.js';
import { EventExport } from './event-export.js';
import { EventReader } from './event-reader.js';
import { ExportController } from './export.controller.js';
import { ExportSlots } from './export-slots.js';
import { Exporter } from './exporter.js';
import { HeadReader } from './head-reader.js';
import { HeadsController } from './heads.controller.js';
import { RetryOutcomesController } from './retry-outcomes.controller.js';
import { SealGauges } from './seal-gauges.js';
import { SummaryController } from './summary.controller.js';
import { SummaryReader } from './summary-reader.js';
import { TargetExport } from './target-export.js';

const readers = [CallReader, ClusterHistoryReader, EventReader, HeadReader, SealGauges, SummaryReader];
const exports = [CallExport, EventExport, Exporter, ExportSlots, TargetExport];

@Module({
  controllers: [
    AuditController,
    CallsController,
    ExportController,
    HeadsController,
    RetryOutcomesController,
    SummaryController,
  ],
  providers: [...readers, ...exports],
})
export class AuditModule {}
