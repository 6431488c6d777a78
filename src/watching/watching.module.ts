import { Module } from '@nestjs/common';
import { CallingModule } from '../calling/calling.module.js';
import { LookupSettler } from './lookup-settler.js';
import { LookupStarter } from './lookup-starter.js';
import { Watcher } from './watcher.js';

@Module({ imports: [CallingModule], providers: [LookupSettler, LookupStarter, Watcher] })
export class WatchingModule {}
