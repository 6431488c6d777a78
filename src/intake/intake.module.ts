import { Module } from '@nestjs/common';
import { Estimator } from './estimator.js';
import { IntakeService } from './intake.service.js';
import { ReplayService } from './replay.service.js';
import { RequestReader } from './request-reader.js';
import { RequestsController } from './requests.controller.js';
import { TargetReader } from './target-reader.js';

@Module({
  controllers: [RequestsController],
  providers: [Estimator, IntakeService, ReplayService, RequestReader, TargetReader],
})
export class IntakeModule {}
