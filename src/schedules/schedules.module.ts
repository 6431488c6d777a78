import { Module } from '@nestjs/common';
import { FireView } from './fire-view.js';
import { FiresController } from './fires.controller.js';
import { ScheduleReader } from './schedule-reader.js';
import { ScheduleService } from './schedule.service.js';
import { SchedulesController } from './schedules.controller.js';

/** What callers ask of schedules. */
@Module({
  controllers: [SchedulesController, FiresController],
  providers: [FireView, ScheduleReader, ScheduleService],
})
export class SchedulesModule {}
