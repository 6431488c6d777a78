import { Module } from '@nestjs/common';
import type { AppConfig } from '../config/app-config.js';
import { APP_CONFIG } from '../config/tokens.js';
import { CallbackProcessor } from './callback.processor.js';
import { Deliverer } from './deliverer.js';
import { Delivery } from './delivery.js';
import { DueCallbacks } from './due-callbacks.js';
import { CallbackSender } from './sender.js';

const sender = {
  provide: CallbackSender,
  inject: [APP_CONFIG],
  useFactory: ({ callbacks }: AppConfig) => new CallbackSender(callbacks),
};

@Module({
  providers: [CallbackProcessor, Deliverer, Delivery, DueCallbacks, sender],
  exports: [DueCallbacks],
})
export class DeliveryModule {}
