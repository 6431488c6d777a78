import { Module } from '@nestjs/common';
import { ListWorksModule } from '../watching/list-works.module.js';
import { DueSchedules } from './due-schedules.js';
import { FireReader } from './fire-reader.js';
import { FireSubmitter } from './fire-submitter.js';

/** What a worker does for schedules. */
@Module({ imports: [ListWorksModule], providers: [DueSchedules, FireReader, FireSubmitter], exports: [DueSchedules] })
export class FiringModule {}
