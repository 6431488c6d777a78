import { BullModule } from '@nestjs/bullmq';
import { Global, Module } from '@nestjs/common';
import { APP_CONFIG } from '../../config/tokens.js';
import { Bells } from './bells.js';
import { PatientWorker, queueOptions } from './connections.js';
import { BELLS } from './queue-names.js';

BullModule.workerClass = PatientWorker;

@Global()
@Module({
  imports: [
    BullModule.forRootAsync({ inject: [APP_CONFIG], useFactory: queueOptions }),
    BullModule.registerQueue({ name: BELLS }),
  ],
  providers: [Bells],
  exports: [Bells, BullModule],
})
export class QueuesModule {}
