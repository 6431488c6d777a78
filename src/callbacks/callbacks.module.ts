import { Module } from '@nestjs/common';
import { CallbackGauges } from './callback-gauges.js';
import { CallbackReader } from './callback-reader.js';
import { CallbacksController } from './callbacks.controller.js';

@Module({ controllers: [CallbacksController], providers: [CallbackGauges, CallbackReader] })
export class CallbacksModule {}
