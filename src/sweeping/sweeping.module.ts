import { Module } from '@nestjs/common';
import { DeliveryModule } from '../callbacks/delivery.module.js';
import { CallingModule } from '../calling/calling.module.js';
import { FiringModule } from '../schedules/firing.module.js';
import { ListWorksModule } from '../watching/list-works.module.js';
import { DueLanes } from './due-lanes.js';
import { PastRequests } from './past-requests.js';
import { Sweeper } from './sweeper.js';
import { VerdictTimeouts } from './verdict-timeouts.js';

@Module({
  imports: [CallingModule, DeliveryModule, FiringModule, ListWorksModule],
  providers: [DueLanes, PastRequests, Sweeper, VerdictTimeouts],
})
export class SweepingModule {}
