import { Module } from '@nestjs/common';
import { UpstreamModule } from '../upstream/upstream.module.js';
import { BellProcessor } from './bell.processor.js';
import { CallReport } from './call-report.js';
import { CallSettler } from './call-settler.js';
import { CallStarter } from './call-starter.js';
import { Caller } from './caller.js';
import { LaneSettler } from './lane-settler.js';
import { LateAnswers } from './late-answers.js';
import { Lookers } from './lookers.js';
import { ResolvingModule } from './resolving.module.js';
import { StartTurns } from './start-turns.js';

@Module({
  imports: [ResolvingModule, UpstreamModule],
  providers: [
    BellProcessor,
    CallReport,
    CallSettler,
    CallStarter,
    Caller,
    LaneSettler,
    LateAnswers,
    Lookers,
    StartTurns,
  ],
  exports: [CallSettler, LaneSettler, Lookers, ResolvingModule, StartTurns, UpstreamModule],
})
export class CallingModule {}
