import { BullModule } from '@nestjs/bullmq';
import { Global, Module } from '@nestjs/common';
import { APP_CONFIG } from '../../config/tokens.js';
import { Bells } from './bells.js';
import { CallbackBells } from './callback-bells.js';
import { PatientWorker, queueOptions } from './connections.js';
import { BELLS, CALLBACK_BELLS } from './queue-names.js';

BullModule.workerClass = PatientWorker;

@Global()
@Module({
  imports: [
    BullModule.forRootAsync({ inject: [APP_CONFIG], useFactory: queueOptions }),
    BullModule.registerQueue({ name: BELLS }, { name: CALLBACK_BELLS }),
  ],
  providers: [Bells, CallbackBells],
  exports: [Bells, BullModule, CallbackBells],
})
export class QueuesModule {}
