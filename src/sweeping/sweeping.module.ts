import { Module } from '@nestjs/common';
import { DeliveryModule } from '../callbacks/delivery.module.js';
import { CallingModule } from '../calling/calling.module.js';
import { FiringModule } from '../schedules/firing.module.js';
import { ListWorksModule } from '../watching/list-works.module.js';
import { DueLanes } from './due-lanes.js';
import { Sweeper } from './sweeper.js';
import { VerdictTimeouts } from './verdict-timeouts.js';

@Module({
  imports: [CallingModule, DeliveryModule, FiringModule, ListWorksModule],
  providers: [DueLanes, Sweeper, VerdictTimeouts],
})
export class SweepingModule {}
