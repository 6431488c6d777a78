import { Module } from '@nestjs/common';
import { ResolvingModule } from '../calling/resolving.module.js';
import { ProjectsController } from './projects.controller.js';
import { UnknownCallsController } from './unknown-calls.controller.js';
import { LaneReader } from './lane-reader.js';
import { LanesController } from './lanes.controller.js';
import { TextsController } from './texts.controller.js';
import { OperationsGauges } from './operations-gauges.js';

@Module({
  imports: [ResolvingModule],
  controllers: [LanesController, ProjectsController, TextsController, UnknownCallsController],
  providers: [LaneReader, OperationsGauges],
})
export class ConsoleModule {}
