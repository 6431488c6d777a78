import { Module } from '@nestjs/common';
import { HeadPublisher } from './head-publisher.js';
import { Sealer } from './sealer.js';
import { SealingLoop } from './sealing-loop.js';

@Module({ providers: [HeadPublisher, Sealer, SealingLoop] })
export class SealingModule {}
