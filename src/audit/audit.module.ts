import { Module } from '@nestjs/common';
import { CallReader } from './call-reader.js';
import { CallsController } from './calls.controller.js';

@Module({ controllers: [CallsController], providers: [CallReader] })
export class AuditModule {}
